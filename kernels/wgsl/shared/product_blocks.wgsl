// Matrix products out of blocks of 4 x 4: what the variants of `product` have in common.
// uses blocks, product_edges
//
// A section that uses `product` declares the two operands and what becomes of the sums:
//
//     const LEFT_ALONG_K = true;                       // whether four neighbours in memory are of one row, along k,
//     const RIGHT_ALONG_K = true;                      // or of one k, along rows (columns); a number of them is whole fours then
//     fn left4(row: u32, k: u32) -> vec4f              // left[row][k ..] or left[row ..][k]
//     fn right4(column: u32, k: u32) -> vec4f          // right[k ..][column] or right[k][column ..]
//     fn finish(row: u32, column: u32, sums: vec4f)    // sums of `row` and four columns from `column` on
//
// and calls product_tile(tile, lane, vec3u(rows, columns, depth)) with TILE_LANES invocations for each of
// ceil(rows / TILE_ROWS) * ceil(columns / TILE_COLUMNS) tiles. Whatever of an operand lies at depth or behind must be given as
// zero: k goes on to the end of a step, and memory behind ragged rows may hold anything. Rows and columns
// that are not there are never asked for, but for those in the rest of a four. `finish` is called once for each row that is there
// and each four of columns of which the first is there, for a row in rising order. Sums run in the order of k, in f32.
//
// What `finish` gathers for each row over the columns: an invocation has TILE_LANE_ROWS rows of a tile, row r in place
// tile_slot(r), which is row tile_row(lane, slot) of the tile; lane % TILE_ACROSS numbers the invocations that share a row.

// Four rows of the left operand from a multiple of four on, at four k: one column of the matrix for each row.
fn left_block(row: u32, k: u32, rows: u32) -> mat4x4f {
  if (LEFT_ALONG_K) {
    let end = rows - 1u;
    return mat4x4f(
      left4(min(row, end), k), left4(min(row + 1u, end), k), left4(min(row + 2u, end), k), left4(min(row + 3u, end), k),
    );
  }
  let first = last_four(row, rows);
  return transpose(mat4x4f(left4(first, k), left4(first, k + 1u), left4(first, k + 2u), left4(first, k + 3u)));
}

// Four columns of the right operand, at four k: one column of the matrix for each k.
fn right_block(column: u32, k: u32, columns: u32) -> mat4x4f {
  if (RIGHT_ALONG_K) {
    let end = columns - 1u;
    return transpose(mat4x4f(
      right4(min(column, end), k), right4(min(column + 1u, end), k), right4(min(column + 2u, end), k), right4(min(column + 3u, end), k),
    ));
  }
  let first = last_four(column, columns);
  return mat4x4f(right4(first, k), right4(first, k + 1u), right4(first, k + 2u), right4(first, k + 3u));
}
