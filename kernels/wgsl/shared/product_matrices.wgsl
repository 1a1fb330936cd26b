// The loop of products by matrices of subgroups, for GPUs that have units for them (simdgroup_matrix of Metal, cooperative matrices of
// Vulkan).
// uses product_shares
//
// A variant that uses it says what is multiplied:
//
//     alias Operand = f32;                             // elements of the matrices; sums are f32
//     alias Four = vec4f;                              // four elements as sections load them
//     fn elements(four: Four) -> vec4<Operand>
//     const PADDING = 4u;                              // elements of 16 bytes
//     const TILE_ROWS, TILE_COLUMNS, PART_ROWS, PART_COLUMNS, STEP
//
// and where a band of M rows and TILE_COLUMNS columns of results lies in workgroup memory, row by row; operands are not needed then:
//
//     fn put_results(at: u32, x: subgroup_matrix_result<f32, N, M>)
//     fn results(at: u32) -> vec4f                     // of four columns
//
// and source.ts puts sizes M, N and K of the adapter's matrices in front.
//
// Work split: a workgroup makes TILE_ROWS x TILE_COLUMNS results in steps of STEP k. A subgroup of 32 lanes has PART_ROWS x
// PART_COLUMNS of them as matrices of M x N, for which it loads matrices of M x K and K x N from workgroup memory. While a step is
// multiplied, the fours of the next one are under way from storage to registers. Results go through workgroup memory by bands of
// M rows, because only the adapter knows which lane has which element.
//
// Operands lie in workgroup memory as in storage, rows (along k) or columns of k one behind the other, so that fours stay fours and
// nothing is transposed on the way: matrices that lie the other way are loaded as col_major. 16 bytes of padding behind each
// row put pieces of 16 bytes of 8 neighbouring rows in 8 different groups of banks, as rows are of 64 bytes or a multiple of 128. Every
// matrix and every row of it begins at a multiple of 16 bytes, as Vulkan wants it.
//
// Where subgroups have other sizes than 32 the results are wrong, and the variant is not taken (choice.ts). Sums run in the order of
// the steps; within one as the adapter has it, which is the same each time.

const SUBGROUP = 32u;                             // lanes
const PARTS_ACROSS = TILE_COLUMNS / PART_COLUMNS;
const TILE_LANES = TILE_ROWS / PART_ROWS * PARTS_ACROSS * SUBGROUP;
const TILE_ACROSS = TILE_COLUMNS / 4u;            // lanes that finish one row
const ROWS_AT_ONCE = TILE_LANES / TILE_ACROSS;
const TILE_LANE_ROWS = TILE_ROWS / ROWS_AT_ONCE;
const LEFT_FOURS = TILE_ROWS * STEP / 4u / TILE_LANES;
const RIGHT_FOURS = TILE_COLUMNS * STEP / 4u / TILE_LANES;

// Elements from one row along k to the next, and from one k to the next along rows.
const ALONG_STRIDE = STEP + PADDING;
const LEFT_STRIDE = TILE_ROWS + PADDING;
const RIGHT_STRIDE = TILE_COLUMNS + PADDING;

// For the order that takes more, because both are compiled.
var<workgroup> left_tile: array<Operand, TILE_ROWS * ALONG_STRIDE>;
var<workgroup> right_tile: array<Operand, TILE_COLUMNS * ALONG_STRIDE>;

fn tile_slot(row: u32) -> u32 {
  return row % TILE_ROWS / ROWS_AT_ONCE;
}

fn tile_row(lane: u32, slot: u32) -> u32 {
  return slot * ROWS_AT_ONCE + lane / TILE_ACROSS;
}

// Place of four number i of a step of an operand that has `rows` in the tile.
fn share_place(i: u32, rows: u32, along_k: bool) -> u32 {
  if (along_k) {
    return i / (STEP / 4u) * ALONG_STRIDE + i % (STEP / 4u) * 4u;
  }
  return i / (rows / 4u) * (rows + PADDING) + i % (rows / 4u) * 4u;
}

fn put_left(i: u32, four: Four) {
  let at = share_place(i, TILE_ROWS, LEFT_ALONG_K);
  let x = elements(four);
  left_tile[at] = x.x;
  left_tile[at + 1u] = x.y;
  left_tile[at + 2u] = x.z;
  left_tile[at + 3u] = x.w;
}

fn put_right(i: u32, four: Four) {
  let at = share_place(i, TILE_COLUMNS, RIGHT_ALONG_K);
  let x = elements(four);
  right_tile[at] = x.x;
  right_tile[at + 1u] = x.y;
  right_tile[at + 2u] = x.z;
  right_tile[at + 3u] = x.w;
}

// Matrices of a step, from `row` of the tile and k on. What lies along k is the right operand by columns. A subgroup is 32
// neighbours, of which each asks for the same place: WGSL cannot know.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn left_matrix(row: u32, k: u32) -> subgroup_matrix_left<Operand, K, M> {
  if (LEFT_ALONG_K) {
    let at = row * ALONG_STRIDE + k;
    return subgroupMatrixLoad<subgroup_matrix_left<Operand, K, M>, row_major>(&left_tile, at, ALONG_STRIDE);
  }
  let at = k * LEFT_STRIDE + row;
  return subgroupMatrixLoad<subgroup_matrix_left<Operand, K, M>, col_major>(&left_tile, at, LEFT_STRIDE);
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn right_matrix(column: u32, k: u32) -> subgroup_matrix_right<Operand, N, K> {
  if (RIGHT_ALONG_K) {
    let at = column * ALONG_STRIDE + k;
    return subgroupMatrixLoad<subgroup_matrix_right<Operand, N, K>, col_major>(&right_tile, at, ALONG_STRIDE);
  }
  let at = k * RIGHT_STRIDE + column;
  return subgroupMatrixLoad<subgroup_matrix_right<Operand, N, K>, row_major>(&right_tile, at, RIGHT_STRIDE);
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
  let part_row = lane / SUBGROUP / PARTS_ACROSS;
  let part_column = lane / SUBGROUP % PARTS_ACROSS;
  var sums: array<array<subgroup_matrix_result<f32, N, M>, PART_COLUMNS / N>, PART_ROWS / M>;
  // loads of a step are under way while the one before is multiplied; those past the end are zeros, which nobody uses
  for (var k0 = 0u; ; k0 += STEP) {
    var left: array<Four, LEFT_FOURS>;
    var right: array<Four, RIGHT_FOURS>;
    for (var f = 0u; f < LEFT_FOURS; f++) {
      left[f] = left_share(row0, k0, lane + f * TILE_LANES, size);
    }
    for (var f = 0u; f < RIGHT_FOURS; f++) {
      right[f] = right_share(column0, k0, lane + f * TILE_LANES, size);
    }
    if (k0 > 0u) {
      for (var k = 0u; k < STEP; k += K) {
        var rights: array<subgroup_matrix_right<Operand, N, K>, PART_COLUMNS / N>;
        for (var j = 0u; j < PART_COLUMNS / N; j++) {
          rights[j] = right_matrix(part_column * PART_COLUMNS + j * N, k);
        }
        for (var i = 0u; i < PART_ROWS / M; i++) {
          let x = left_matrix(part_row * PART_ROWS + i * M, k);
          for (var j = 0u; j < PART_COLUMNS / N; j++) {
            sums[i][j] = subgroupMatrixMultiplyAccumulate(x, rights[j], sums[i][j]);
          }
        }
      }
    }
    if (k0 >= size.z) {
      break;
    }
    workgroupBarrier();
    for (var f = 0u; f < LEFT_FOURS; f++) {
      put_left(lane + f * TILE_LANES, left[f]);
    }
    for (var f = 0u; f < RIGHT_FOURS; f++) {
      put_right(lane + f * TILE_LANES, right[f]);
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < TILE_ROWS / M; i++) {
    workgroupBarrier();
    if (i / (PART_ROWS / M) == part_row) {
      for (var j = 0u; j < PART_COLUMNS / N; j++) {
        put_results(part_column * PART_COLUMNS + j * N, sums[i % (PART_ROWS / M)][j]);
      }
    }
    workgroupBarrier();
    for (var r = lane / TILE_ACROSS; r < M; r += ROWS_AT_ONCE) {
      let column = lane % TILE_ACROSS * 4u;
      finish_row(row0 + i * M + r, column0 + column, results(r * TILE_COLUMNS + column), size);
    }
  }
}
