// Rows of a ragged batch. Whoever uses this declares `cu_seqlens` and `params.sequences`.

// First and end row of the sequence of row n, by bisection; an empty range for rows past the last sequence.
fn sequence_of(n: u32) -> vec2u {
  var low = 0u;
  var high = params.sequences;
  if (n >= u32(cu_seqlens[high])) {
    return vec2u(n, n);
  }
  while (low + 1u < high) {
    let middle = (low + high) / 2u;
    if (u32(cu_seqlens[middle]) <= n) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return vec2u(u32(cu_seqlens[low]), u32(cu_seqlens[low + 1u]));
}
