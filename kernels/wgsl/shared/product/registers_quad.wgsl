// Products with operands straight from storage, which four neighbouring invocations (a quad) load for each other: for adapters in
// software, where a load is what costs.
// uses product_blocks
// requires subgroups
//
// Work split: a workgroup is one quad; it makes 16 x 32 results, an invocation 16 x 8 of them as 4 x 2 blocks of 4 x 4. Each
// loads its own columns and a quarter of the rows, the other three quarters are broadcast. Four steps of k are 12 loads of 16 bytes
// for 512 multiply-adds.
//
// SwiftShader, which runs four invocations as one vector, loads lane by lane (about 45 cycles for 4 lanes of one word, against 6 for
// 4 multiply-adds), so this is 12 x 4 x 45 cycles of loads beside 512 x 6 of arithmetic; without quads it would be 24 x 4 x 45.

const TILE_ROWS = 16u;
const TILE_COLUMNS = 32u;
const TILE_LANES = 4u;

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
  return mat4x4f(left4(first, k), left4(first, k + 1u), left4(first, k + 2u), left4(first, k + 3u));
}

// Block of four rows out of four vectors of which each invocation of the quad has another one.
fn of_rows(part: vec4f) -> mat4x4f {
  return transpose(mat4x4f(
    quadBroadcast(part, 0u), quadBroadcast(part, 1u), quadBroadcast(part, 2u), quadBroadcast(part, 3u),
  ));
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
  for (var k = 0u; k < size.z; k += 4u) {
    let right0 = right_block(column, k, size.y);
    let right1 = right_block(column + 16u, k, size.y);
    let part = quarter(row, k, lane, size.x);
    var left0: mat4x4f;
    var left1: mat4x4f;
    var left2: mat4x4f;
    var left3: mat4x4f;
    if (LEFT_ALONG_K) {
      left0 = of_rows(part[0]);
      left1 = of_rows(part[1]);
      left2 = of_rows(part[2]);
      left3 = of_rows(part[3]);
    } else {
      left0 = mat4x4f(quadBroadcast(part[0], 0u), quadBroadcast(part[1], 0u), quadBroadcast(part[2], 0u), quadBroadcast(part[3], 0u));
      left1 = mat4x4f(quadBroadcast(part[0], 1u), quadBroadcast(part[1], 1u), quadBroadcast(part[2], 1u), quadBroadcast(part[3], 1u));
      left2 = mat4x4f(quadBroadcast(part[0], 2u), quadBroadcast(part[1], 2u), quadBroadcast(part[2], 2u), quadBroadcast(part[3], 2u));
      left3 = mat4x4f(quadBroadcast(part[0], 3u), quadBroadcast(part[1], 3u), quadBroadcast(part[2], 3u), quadBroadcast(part[3], 3u));
    }
    sums00 = multiply_add(sums00, left0, right0);
    sums01 = multiply_add(sums01, left0, right1);
    sums10 = multiply_add(sums10, left1, right0);
    sums11 = multiply_add(sums11, left1, right1);
    sums20 = multiply_add(sums20, left2, right0);
    sums21 = multiply_add(sums21, left2, right1);
    sums30 = multiply_add(sums30, left3, right0);
    sums31 = multiply_add(sums31, left3, right1);
  }
  finish_block(row, column, sums00, size);
  finish_block(row, column + 16u, sums01, size);
  finish_block(row + 4u, column, sums10, size);
  finish_block(row + 4u, column + 16u, sums11, size);
  finish_block(row + 8u, column, sums20, size);
  finish_block(row + 8u, column + 16u, sums21, size);
  finish_block(row + 12u, column, sums30, size);
  finish_block(row + 12u, column + 16u, sums31, size);
}
