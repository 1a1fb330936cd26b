// Products with tiles of the operands in workgroup memory: for GPUs.
// uses product_blocks, product_steps
//
// Work split: a workgroup of 8 x 8 invocations makes 64 x 64 results in steps of 16 k; one invocation has 2 x 2 blocks of 4 x 4, 32
// apart. While a step is multiplied, the fours of the next one are under way from storage to registers.
//
// Operations a byte from storage: 64 * 64 * 16 * 2 / (2 * 64 * 16 * 4) = 16. Operations a load of 16 bytes from workgroup
// memory: 16 loads for 256 multiply-adds; those of the left operand are the same for 8 invocations. Registers: 64 sums, 32 of the
// right operand, 16 of the left, 32 under way, about 165 with addresses: of 65,536 that is 6 workgroups (12 warps) on a
// multiprocessor; workgroup memory of 10,752 bytes would let 9 in. The independent sums, not the warps, cover latencies.
//
// Fours lie in workgroup memory as in storage, so that nothing is transposed on the way (in registers it costs nothing). Along k:
// place (row % 4) * 84 + row / 4 * 5 + k / 4: the 8 invocations that read at once have 8 neighbours in row / 4, 5 fours apart,
// which are in 8 different groups of banks (5 is odd); those that write have 4 k of 2 rows, 84 % 8 = 4 groups apart. Along rows:
// place k * 16 + row / 4, where neighbours are neighbours.

// The sum over k is one workgroup's, for gradients of weights too. To split it was reckoned for 132 multiprocessors at base's shapes
// and 2,048 rows: 768 x 3072 are 576 tiles, 4.4 a multiprocessor, nothing to gain. 768 x 768 are 144: of 4 x 132 schedulers their two
// warps keep 55% busy, a quarter of k each 73%, so 110 us become 82; but 9 MB of partial sums are written and read once more
// and a second dispatch joins them, 7 + 4 us. 17 us a layer are saved, of the 3.6 ms that its products take: 0.5%. Not worth scratch
// that no other device needs.

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

var<workgroup> left_tile: array<vec4f, 336>;
var<workgroup> right_tile: array<vec4f, 336>;

// The share of an invocation in a step of k: fours number lane, 64 + lane, ... of each operand.
struct Share {
  left: mat4x4f,
  right: mat4x4f,
}

fn load_share(row: u32, column: u32, k: u32, lane: u32, size: vec3u) -> Share {
  return Share(
    mat4x4f(
      left_share(row, k, lane, size), left_share(row, k, lane + 64u, size), left_share(row, k, lane + 128u, size), left_share(row, k, lane + 192u, size),
    ),
    mat4x4f(
      right_share(column, k, lane, size), right_share(column, k, lane + 64u, size), right_share(column, k, lane + 128u, size), right_share(column, k, lane + 192u, size),
    ),
  );
}

// Place of a four in workgroup memory: of number i of a step, and of row (column) and k.
fn share_place(i: u32, along_k: bool) -> u32 {
  return select(i, along_place(i >> 2u, i & 3u), along_k);
}

fn along_place(row: u32, k4: u32) -> u32 {
  return (row & 3u) * 84u + (row >> 2u) * 5u + k4;
}

fn store_share(share: Share, lane: u32) {
  left_tile[share_place(lane, LEFT_ALONG_K)] = share.left[0];
  left_tile[share_place(lane + 64u, LEFT_ALONG_K)] = share.left[1];
  left_tile[share_place(lane + 128u, LEFT_ALONG_K)] = share.left[2];
  left_tile[share_place(lane + 192u, LEFT_ALONG_K)] = share.left[3];
  right_tile[share_place(lane, RIGHT_ALONG_K)] = share.right[0];
  right_tile[share_place(lane + 64u, RIGHT_ALONG_K)] = share.right[1];
  right_tile[share_place(lane + 128u, RIGHT_ALONG_K)] = share.right[2];
  right_tile[share_place(lane + 192u, RIGHT_ALONG_K)] = share.right[3];
}

// Four rows of the tile from a multiple of four on, at four k: one column of the matrix for each row.
fn left_tile_block(row: u32, k: u32) -> mat4x4f {
  if (LEFT_ALONG_K) {
    let at = along_place(row, k >> 2u);
    return mat4x4f(left_tile[at], left_tile[at + 84u], left_tile[at + 168u], left_tile[at + 252u]);
  }
  let at = k * 16u + (row >> 2u);
  return transpose(mat4x4f(left_tile[at], left_tile[at + 16u], left_tile[at + 32u], left_tile[at + 48u]));
}

// Four columns: one column of the matrix for each k.
fn right_tile_block(column: u32, k: u32) -> mat4x4f {
  if (RIGHT_ALONG_K) {
    let at = along_place(column, k >> 2u);
    return transpose(mat4x4f(right_tile[at], right_tile[at + 84u], right_tile[at + 168u], right_tile[at + 252u]));
  }
  let at = k * 16u + (column >> 2u);
  return mat4x4f(right_tile[at], right_tile[at + 16u], right_tile[at + 32u], right_tile[at + 48u]);
}

fn product_tile(tile: u32, lane: u32, size: vec3u) {
  let across = (size.y + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let row0 = tile / across * TILE_ROWS;
  let column0 = tile % across * TILE_COLUMNS;
  if (row0 >= size.x) {
    return;
  }
  let row = lane / 8u * 4u;
  let column = lane % 8u * 4u;
  var sums00 = mat4x4f();
  var sums01 = mat4x4f();
  var sums10 = mat4x4f();
  var sums11 = mat4x4f();
  // loads of a step are under way while the one before is multiplied; those past the end are zeros, which nobody uses
  for (var k0 = 0u; ; k0 += STEP) {
    let share = load_share(row0, column0, k0, lane, size);
    if (k0 > 0u) {
      for (var k = 0u; k < STEP; k += 4u) {
        let right0 = right_tile_block(column, k);
        let right1 = right_tile_block(column + 32u, k);
        let left0 = left_tile_block(row, k);
        sums00 = multiply_add(sums00, left0, right0);
        sums01 = multiply_add(sums01, left0, right1);
        let left1 = left_tile_block(row + 32u, k);
        sums10 = multiply_add(sums10, left1, right0);
        sums11 = multiply_add(sums11, left1, right1);
      }
    }
    if (k0 >= size.z) {
      break;
    }
    workgroupBarrier();
    store_share(share, lane);
    workgroupBarrier();
  }
  // a loop, so that the code of `finish` is there once
  let blocks = array<mat4x4f, 4>(sums00, sums01, sums10, sums11);
  for (var n = 0u; n < 16u; n++) {
    finish_row(row0 + tile_row(lane, n / 2u), column0 + column + n % 2u * 32u, blocks[n / 8u * 2u + n % 2u][n / 2u % 4u], size);
  }
}
