// Products with operands straight from storage, which four neighbouring invocations (a quad) load for each other: for adapters in
// software, where a load is what costs.
// uses product_blocks
// requires subgroups
// suits adapters in software
//
// Work split: a workgroup is one quad; it makes 32 x 32 results, an invocation 32 x 8 of them as 8 x 2 blocks of 4 x 4. Each
// loads its own columns and a quarter of the rows, and swaps for the other three quarters: what it has in place j is from
// invocation `lane ^ j`, so the order of its rows is its own. Four steps of k are 16 loads of 16 bytes for 1,024 multiply-adds.
//
// SwiftShader runs four invocations as one vector and loads lane by lane: 119 instructions for a word of each, against 5 for a
// multiply-add of all four, and 10 for each sum that goes around the loop (as counted in the code that it makes). In four steps of
// k that is 64 x 119 for loads, 1,024 x 5 of arithmetic and 256 x 10 for the loop. Without the swaps loads would be 160 x 119;
// tiles of 16 x 32 have 96 x 119 for as many multiply-adds and take 1.2 to 1.5 times as long, from 32 rows on; fewer rows take as
// long as 32. The floor is the arithmetic alone. Not worth it elsewhere: 256 sums are more registers than a GPU gives an invocation.

const TILE_ROWS = 32u;
const TILE_COLUMNS = 32u;
const TILE_LANES = 4u;
const TILE_ACROSS = 4u;
const TILE_LANE_ROWS = 32u;

fn tile_slot(row: u32) -> u32 {
  return row & 31u;
}

fn tile_row(lane: u32, slot: u32) -> u32 {
  return slot;
}

// What this invocation loads of 16 rows at four k: along k the rows lane, 4 + lane, ...; else rows 4 lane to 4 lane + 3.
fn quarter(row: u32, k: u32, lane: u32, rows: u32) -> mat4x4f {
  if (LEFT_ALONG_K) {
    let end = rows - 1u;
    let first = row + lane;
    return mat4x4f(
      left4(min(first, end), k), left4(min(first + 4u, end), k), left4(min(first + 8u, end), k), left4(min(first + 12u, end), k),
    );
  }
  let first = last_four(row + 4u * lane, rows);
  return transpose(mat4x4f(left4(first, k), left4(first, k + 1u), left4(first, k + 2u), left4(first, k + 3u)));
}

// Row of the tile that an invocation has in place j of its block i.
fn row_of(lane: u32, i: u32, j: u32) -> u32 {
  return select(4u * (lane ^ j) + i, 4u * i + (lane ^ j), LEFT_ALONG_K);
}

// A vector of this invocation and of the three others.
fn swapped(part: vec4f) -> mat4x4f {
  return mat4x4f(part, quadSwapX(part), quadSwapY(part), quadSwapDiagonal(part));
}

fn product_tile(tile: u32, lane: u32, size: vec3u) {
  let across = (size.y + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let row = tile / across * TILE_ROWS;
  let column = tile % across * TILE_COLUMNS + lane * 4u;
  if (row >= size.x) {
    return;
  }
  var sums00 = mat4x4f();
  var sums01 = mat4x4f();
  var sums10 = mat4x4f();
  var sums11 = mat4x4f();
  var sums20 = mat4x4f();
  var sums21 = mat4x4f();
  var sums30 = mat4x4f();
  var sums31 = mat4x4f();
  var sums40 = mat4x4f();
  var sums41 = mat4x4f();
  var sums50 = mat4x4f();
  var sums51 = mat4x4f();
  var sums60 = mat4x4f();
  var sums61 = mat4x4f();
  var sums70 = mat4x4f();
  var sums71 = mat4x4f();
  for (var k = 0u; k < size.z; k += 4u) {
    let right0 = right_block(column, k, size.y);
    let right1 = right_block(column + 16u, k, size.y);
    let part0 = quarter(row + 0u, k, lane, size.x);
    let left0 = swapped(part0[0]);
    sums00 = multiply_add(sums00, left0, right0);
    sums01 = multiply_add(sums01, left0, right1);
    let left1 = swapped(part0[1]);
    sums10 = multiply_add(sums10, left1, right0);
    sums11 = multiply_add(sums11, left1, right1);
    let left2 = swapped(part0[2]);
    sums20 = multiply_add(sums20, left2, right0);
    sums21 = multiply_add(sums21, left2, right1);
    let left3 = swapped(part0[3]);
    sums30 = multiply_add(sums30, left3, right0);
    sums31 = multiply_add(sums31, left3, right1);
    let part1 = quarter(row + 16u, k, lane, size.x);
    let left4 = swapped(part1[0]);
    sums40 = multiply_add(sums40, left4, right0);
    sums41 = multiply_add(sums41, left4, right1);
    let left5 = swapped(part1[1]);
    sums50 = multiply_add(sums50, left5, right0);
    sums51 = multiply_add(sums51, left5, right1);
    let left6 = swapped(part1[2]);
    sums60 = multiply_add(sums60, left6, right0);
    sums61 = multiply_add(sums61, left6, right1);
    let left7 = swapped(part1[3]);
    sums70 = multiply_add(sums70, left7, right0);
    sums71 = multiply_add(sums71, left7, right1);
  }
  // a loop, so that the code of `finish` is there once
  let blocks = array<mat4x4f, 16>(sums00, sums01, sums10, sums11, sums20, sums21, sums30, sums31, sums40, sums41, sums50, sums51, sums60, sums61, sums70, sums71);
  for (var n = 0u; n < 64u; n++) {
    let own = row + n / 32u * 16u + row_of(lane, n / 8u % 4u, n / 2u % 4u);
    finish_row(own, column + n % 2u * 16u, blocks[n / 8u * 2u + n % 2u][n / 2u % 4u], size);
  }
}
