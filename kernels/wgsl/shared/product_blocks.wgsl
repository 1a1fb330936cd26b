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

// sums + sum over k of left[k] right[k], for four columns. A chain for each of them, because software adapters keep a vector in
// memory between one operation on it and the next.
fn row_sums(sums: vec4f, left: vec4f, right: mat4x4f) -> vec4f {
  return vec4f(
    sums.x + left.x * right[0].x + left.y * right[1].x + left.z * right[2].x + left.w * right[3].x,
    sums.y + left.x * right[0].y + left.y * right[1].y + left.z * right[2].y + left.w * right[3].y,
    sums.z + left.x * right[0].z + left.y * right[1].z + left.z * right[2].z + left.w * right[3].z,
    sums.w + left.x * right[0].w + left.y * right[1].w + left.z * right[2].w + left.w * right[3].w,
  );
}

// sums[row] += sum over k of left[row][k] right[k].
fn multiply_add(sums: mat4x4f, left: mat4x4f, right: mat4x4f) -> mat4x4f {
  return mat4x4f(
    row_sums(sums[0], left[0], right), row_sums(sums[1], left[1], right), row_sums(sums[2], left[2], right), row_sums(sums[3], left[3], right),
  );
}

fn finish_row(row: u32, column: u32, sums: vec4f, size: vec3u) {
  if (row < size.x && column < size.y) {
    finish(row, column, sums);
  }
}

fn finish_block(row: u32, column: u32, sums: mat4x4f, size: vec3u) {
  finish_row(row, column, sums[0], size);
  finish_row(row + 1u, column, sums[1], size);
  finish_row(row + 2u, column, sums[2], size);
  finish_row(row + 3u, column, sums[3], size);
}

// Four values of which those at `end` and behind count as zero.
fn before(end: u32, first: u32, values: vec4f) -> vec4f {
  return select(vec4f(), values, vec4u(first) + vec4u(0u, 1u, 2u, 3u) < vec4u(end));
}
