// Products by matrices of subgroups, for GPUs that have units for them (simdgroup_matrix of Metal, cooperative matrices of Vulkan).
// uses product_blocks, product_steps
// requires chromium-experimental-subgroup-matrix
// multiplies f32 -> f32
//
// Work split: a workgroup is four subgroups of 32 lanes and makes 64 x 64 results in steps of 16 k; a subgroup has 32 x 32 of them
// as matrices of M x N, for which it loads matrices of M x K and K x N from workgroup memory. M, N and K are a configuration of
// the adapter that source.ts puts in front: M 8, 16 or 32, N a divisor of 32, K of 16. While a step is multiplied, the fours of the next one are under way from
// storage to registers.
//
// By count with 8 x 8 x 8: a step is 64 multiplications of matrices a subgroup for 16 loads of them, so 2 x 16 x 1,024 operations for
// 4 KB, 8 a byte of workgroup memory; from storage 16 a byte. Workgroup memory: 8 KiB of operands and 2 of results. Registers of a
// lane: 32 of results, 10 of operands, 16 under way.
//
// Where subgroups have other sizes than 32 the results are wrong, and the variant is not taken (choice.ts). Sums run in the order of
// the steps; within one as the adapter has it, which is the same each time.

alias Operand = f32;  // of the matrices that are multiplied; sums are f32

const TILE_ROWS = 64u;
const TILE_COLUMNS = 64u;
const TILE_LANES = 128u;
const TILE_ACROSS = 16u;
const TILE_LANE_ROWS = 8u;

const SUBGROUP = 32u;  // lanes
const PART = 32u;      // rows and columns of a subgroup: two by two of them are a tile
// Matrices one behind the other, along k first; in each, elements in the order that fours lie in.
var<workgroup> left_tile: array<Operand, TILE_ROWS * STEP>;
var<workgroup> right_tile: array<Operand, TILE_COLUMNS * STEP>;
var<workgroup> band: array<f32, M * TILE_COLUMNS>;  // M rows of results

fn tile_slot(row: u32) -> u32 {
  return row % TILE_ROWS / 8u;
}

fn tile_row(lane: u32, slot: u32) -> u32 {
  return slot * 8u + lane / TILE_ACROSS;
}

// Place in an operand's tile of an element: `row` is a row of the left operand or a column of the right one, of which a matrix has `size`.
fn element_place(row: u32, k: u32, size: u32, along_k: bool) -> u32 {
  let matrix = (row / size * (STEP / K) + k / K) * (size * K);
  return matrix + select(k % K * size + row % size, row % size * K + k % K, along_k);
}

// Place of four number i of a step.
fn share_place(i: u32, size: u32, along_k: bool) -> u32 {
  if (along_k) {
    return element_place(i / 4u, i % 4u * 4u, size, true);
  }
  return element_place(i % 16u * 4u, i / 16u, size, false);
}

fn put_left(i: u32, x: vec4f) {
  let at = share_place(i, M, LEFT_ALONG_K);
  left_tile[at] = Operand(x.x);
  left_tile[at + 1u] = Operand(x.y);
  left_tile[at + 2u] = Operand(x.z);
  left_tile[at + 3u] = Operand(x.w);
}

fn put_right(i: u32, x: vec4f) {
  let at = share_place(i, N, RIGHT_ALONG_K);
  right_tile[at] = Operand(x.x);
  right_tile[at + 1u] = Operand(x.y);
  right_tile[at + 2u] = Operand(x.z);
  right_tile[at + 3u] = Operand(x.w);
}

// Matrices of a step, from `row` of the tile and k on. What lies along k is the right operand by columns. A subgroup is 32
// neighbours, of which each asks for the same place: WGSL cannot know.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn left_matrix(row: u32, k: u32) -> subgroup_matrix_left<Operand, K, M> {
  let at = element_place(row, k, M, LEFT_ALONG_K);
  if (LEFT_ALONG_K) {
    return subgroupMatrixLoad<subgroup_matrix_left<Operand, K, M>, row_major>(&left_tile, at, K);
  }
  return subgroupMatrixLoad<subgroup_matrix_left<Operand, K, M>, col_major>(&left_tile, at, M);
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn right_matrix(column: u32, k: u32) -> subgroup_matrix_right<Operand, N, K> {
  let at = element_place(column, k, N, RIGHT_ALONG_K);
  if (RIGHT_ALONG_K) {
    return subgroupMatrixLoad<subgroup_matrix_right<Operand, N, K>, col_major>(&right_tile, at, K);
  }
  return subgroupMatrixLoad<subgroup_matrix_right<Operand, N, K>, row_major>(&right_tile, at, N);
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn product_tile(tile: u32, lane: u32, size: vec3u) {
  let across = (size.y + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let row0 = tile / across * TILE_ROWS;
  let column0 = tile % across * TILE_COLUMNS;
  if (row0 >= size.x) {
    return;
  }
  // of this subgroup, in parts of the tile
  let part_row = lane / (2u * SUBGROUP);
  let part_column = lane / SUBGROUP % 2u;
  var sums: array<array<subgroup_matrix_result<f32, N, M>, PART / N>, PART / M>;
  // loads of a step are under way while the one before is multiplied; those past the end are zeros, which nobody uses
  for (var k0 = 0u; ; k0 += STEP) {
    let left = mat2x4f(left_share(row0, k0, lane, size), left_share(row0, k0, lane + TILE_LANES, size));
    let right = mat2x4f(right_share(column0, k0, lane, size), right_share(column0, k0, lane + TILE_LANES, size));
    if (k0 > 0u) {
      for (var k = 0u; k < STEP; k += K) {
        var rights: array<subgroup_matrix_right<Operand, N, K>, PART / N>;
        for (var j = 0u; j < PART / N; j++) {
          rights[j] = right_matrix(part_column * PART + j * N, k);
        }
        for (var i = 0u; i < PART / M; i++) {
          let x = left_matrix(part_row * PART + i * M, k);
          for (var j = 0u; j < PART / N; j++) {
            sums[i][j] = subgroupMatrixMultiplyAccumulate(x, rights[j], sums[i][j]);
          }
        }
      }
    }
    if (k0 >= size.z) {
      break;
    }
    workgroupBarrier();
    put_left(lane, left[0]);
    put_left(lane + TILE_LANES, left[1]);
    put_right(lane, right[0]);
    put_right(lane + TILE_LANES, right[1]);
    workgroupBarrier();
  }
  for (var i = 0u; i < TILE_ROWS / M; i++) {
    workgroupBarrier();
    if (i / (PART / M) == part_row) {
      for (var j = 0u; j < PART / N; j++) {
        subgroupMatrixStore<row_major>(&band, part_column * PART + j * N, sums[i % (PART / M)][j], TILE_COLUMNS);
      }
    }
    workgroupBarrier();
    for (var r = lane / TILE_ACROSS; r < M; r += TILE_LANES / TILE_ACROSS) {
      let column = lane % TILE_ACROSS * 4u;
      let at = r * TILE_COLUMNS + column;
      finish_row(row0 + i * M + r, column0 + column, vec4f(band[at], band[at + 1u], band[at + 2u], band[at + 3u]), size);
    }
  }
}
