// Edges of matrix products, for all variants of `product`.

// The first four of `size` rows or columns from `first` on: the last one that is there instead of one that is not.
fn last_four(first: u32, size: u32) -> u32 {
  return min(first, (size - 1u) & ~3u);
}

fn finish_row(row: u32, column: u32, sums: vec4f, size: vec3u) {
  if (row < size.x && column < size.y) {
    finish(row, column, sums);
  }
}
