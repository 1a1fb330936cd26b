// Products by matrices of subgroups of f32, which GPUs of Apple have (8 x 8 x 8).
// uses product_blocks, product_matrices
// requires chromium-experimental-subgroup-matrix
// multiplies f32 -> f32 from 8x4x4 to 16x32x16
//
// A workgroup is four subgroups, of 32 x 32 results each. By count with 8 x 8 x 8: a step is 64 multiplications of matrices a
// subgroup for 16 loads of them, so 2 x 16 x 1,024 operations for 4 KB, 8 a byte of workgroup memory; from storage 16 a byte.
// Workgroup memory: 10 KiB of operands, in which results lie afterwards. Registers of a lane: 32 of results, 10 of operands, 16 under way.

alias Operand = f32;
alias Four = vec4f;

const PADDING = 4u;
const TILE_ROWS = 64u;
const TILE_COLUMNS = 64u;
const PART_ROWS = 32u;
const PART_COLUMNS = 32u;
const STEP = 16u;

fn elements(four: Four) -> vec4<Operand> {
  return four;
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn put_results(at: u32, x: subgroup_matrix_result<f32, N, M>) {
  subgroupMatrixStore<row_major>(&left_tile, at, x, TILE_COLUMNS);
}

fn results(at: u32) -> vec4f {
  return vec4f(left_tile[at], left_tile[at + 1u], left_tile[at + 2u], left_tile[at + 3u]);
}
