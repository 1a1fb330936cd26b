// Products with operands straight from storage: 64 results an invocation in registers, caches do the sharing.
// uses product_blocks
//
// Work split: a workgroup of 8 x 8 invocations makes 64 x 64 results; one invocation has 2 x 2 blocks of 4 x 4, 32 apart, so that
// neighbours read neighbouring fours. Four steps of k are 16 loads of 16 bytes for 256 multiply-adds: 2 operations a byte from the
// first cache; from memory, where the tile's operands are read once, 16. No workgroup memory, no barrier. Registers: 64 sums, 64
// for operands, about 150 with addresses: of 65,536 that is 6 workgroups (12 warps) on a multiprocessor.

const TILE_ROWS = 64u;
const TILE_COLUMNS = 64u;
const TILE_LANES = 64u;
const TILE_ACROSS = 8u;
const TILE_LANE_ROWS = 8u;

fn tile_slot(row: u32) -> u32 {
  return (row & 3u) | ((row >> 3u) & 4u);
}

fn tile_row(lane: u32, slot: u32) -> u32 {
  return lane / 8u * 4u + (slot & 3u) + (slot >> 2u) * 32u;
}

fn product_tile(tile: u32, lane: u32, size: vec3u) {
  let across = (size.y + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let row = tile / across * TILE_ROWS + lane / 8u * 4u;
  let column = tile % across * TILE_COLUMNS + lane % 8u * 4u;
  if (row >= size.x || column >= size.y) {
    return;
  }
  var sums00 = mat4x4f();
  var sums01 = mat4x4f();
  var sums10 = mat4x4f();
  var sums11 = mat4x4f();
  for (var k = 0u; k < size.z; k += 4u) {
    let right0 = right_block(column, k, size.y);
    let right1 = right_block(column + 32u, k, size.y);
    let left0 = left_block(row, k, size.x);
    sums00 = multiply_add(sums00, left0, right0);
    sums01 = multiply_add(sums01, left0, right1);
    let left1 = left_block(row + 32u, k, size.x);
    sums10 = multiply_add(sums10, left1, right0);
    sums11 = multiply_add(sums11, left1, right1);
  }
  // a loop, so that the code of `finish` is there once
  let blocks = array<mat4x4f, 4>(sums00, sums01, sums10, sums11);
  for (var n = 0u; n < 16u; n++) {
    finish_row(tile / across * TILE_ROWS + tile_row(lane, n / 2u), column + n % 2u * 32u, blocks[n / 8u * 2u + n % 2u][n / 2u % 4u], size);
  }
}
