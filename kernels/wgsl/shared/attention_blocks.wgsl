// Blocks of rows of a ragged batch, none of which crosses the end of a sequence. Whoever uses this declares `cu_seqlens`,
// `params.sequences` and `params.rows`.
//
// Sequence b has the slots from cu_seqlens[b] / size + b on: so slots follow from a bisection, and there are at most
// ceil(rows / size) + sequences of them, at most one of a sequence empty. Rows past the last sequence are blocks of one that
// sees nothing.

struct Block {
  first: u32,  // row of its sequence
  end: u32,    // of its sequence; first = end past the last one
  row: u32,    // first of the block, at a multiple of size behind the first of the sequence
  stop: u32,   // end of the block; no more than row if the slot is empty
}

fn block_of(slot: u32, size: u32) -> Block {
  var low = 0u;
  var high = params.sequences + 1u;
  while (low + 1u < high) {
    let middle = (low + high) / 2u;
    if (u32(cu_seqlens[middle]) / size + middle <= slot) {
      low = middle;
    } else {
      high = middle;
    }
  }
  let first = u32(cu_seqlens[low]);
  let isPast = low == params.sequences;
  var end = params.rows;
  if (!isPast) {
    end = u32(cu_seqlens[low + 1u]);
  }
  let row = min(first + (slot - first / size - low) * size, end);
  return Block(first, select(end, first, isPast), row, min(row + size, end));
}
