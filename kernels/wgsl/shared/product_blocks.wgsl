// Matrix products out of blocks of 4 x 4: what the variants of `product` have in common.
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
// zero: k goes on to the next multiple of four (DEPTH_STEP), and memory behind ragged rows may hold anything. Rows and columns
// that are not there are never asked for, but for those in the rest of a four. `finish` is called for rows that are there and for
// fours of columns of which the first is there. Sums run in the order of k, in f32.

// The first four of `size` rows or columns from `first` on: the last one that is there instead of one that is not.
fn last_four(first: u32, size: u32) -> u32 {
  return min(first, (size - 1u) & ~3u);
}

// Four rows of the left operand from a multiple of four on, at four k: one column of the matrix for each k.
fn left_block(row: u32, k: u32, rows: u32) -> mat4x4f {
  if (LEFT_ALONG_K) {
    let end = rows - 1u;
    return transpose(mat4x4f(
      left4(min(row, end), k), left4(min(row + 1u, end), k), left4(min(row + 2u, end), k), left4(min(row + 3u, end), k),
    ));
  }
  let first = last_four(row, rows);
  return mat4x4f(left4(first, k), left4(first, k + 1u), left4(first, k + 2u), left4(first, k + 3u));
}

// Four columns of the right operand, likewise.
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

// sums[i] += sum over k of left[k][i] right[k].
fn multiply_add(sums: mat4x4f, left: mat4x4f, right: mat4x4f) -> mat4x4f {
  return mat4x4f(
    sums[0] + left[0].x * right[0] + left[1].x * right[1] + left[2].x * right[2] + left[3].x * right[3],
    sums[1] + left[0].y * right[0] + left[1].y * right[1] + left[2].y * right[2] + left[3].y * right[3],
    sums[2] + left[0].z * right[0] + left[1].z * right[1] + left[2].z * right[2] + left[3].z * right[3],
    sums[3] + left[0].w * right[0] + left[1].w * right[1] + left[2].w * right[2] + left[3].w * right[3],
  );
}

fn finish_block(row: u32, column: u32, sums: mat4x4f, size: vec3u) {
  if (column >= size.y) {
    return;
  }
  if (row < size.x) {
    finish(row, column, sums[0]);
  }
  if (row + 1u < size.x) {
    finish(row + 1u, column, sums[1]);
  }
  if (row + 2u < size.x) {
    finish(row + 2u, column, sums[2]);
  }
  if (row + 3u < size.x) {
    finish(row + 3u, column, sums[3]);
  }
}

// Four values of which those at `end` and behind count as zero.
fn before(end: u32, first: u32, values: vec4f) -> vec4f {
  return select(vec4f(), values, vec4u(first) + vec4u(0u, 1u, 2u, 3u) < vec4u(end));
}
