// Matrix products y = op(a) op(b), one for each of a batch; a_step and b_step lead from one matrix to the next.
//
// Work split: one workgroup is a tile of 16 x 16 results of one product, as linear.wgsl.

const TILE = 16u;

var<workgroup> left: array<f32, TILE * TILE>;
var<workgroup> right: array<f32, TILE * TILE>;

// Sum over the TILE columns of one row of each tile.
fn multiply_tiles(i: u32, j: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < TILE; k++) {
    sum += left[i * TILE + k] * right[j * TILE + k];
  }
  return sum;
}

fn tiles(size: u32) -> u32 {
  return (size + TILE - 1u) / TILE;
}

// ---------------------------------------------------------------- forward

// kernel matmul_forward
struct Params {
  batch: u32, m: u32, n: u32, k: u32, a_step: u32, b_step: u32, transpose_a: u32, transpose_b: u32,
}
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: batch * ceil(m / 16) * ceil(n / 16)
@compute @workgroup_size(TILE * TILE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let each = tiles(params.m) * tiles(params.n);
  let index = group_index(group, groups);
  let product = index / each;
  let tile = index % each;
  let i = lane / TILE;
  let j = lane % TILE;
  let m0 = tile / tiles(params.n) * TILE;
  let n0 = tile % tiles(params.n) * TILE;
  var sum = 0.0;
  for (var k = 0u; k < params.k; k += TILE) {
    left[lane] = 0.0;
    right[lane] = 0.0;
    if (product < params.batch && k + j < params.k) {
      if (m0 + i < params.m) {
        let at = select((m0 + i) * params.k + k + j, (k + j) * params.m + m0 + i, params.transpose_a != 0u);
        left[lane] = a[product * params.a_step + at];
      }
      if (n0 + i < params.n) {
        let at = select((k + j) * params.n + n0 + i, (n0 + i) * params.k + k + j, params.transpose_b != 0u);
        right[lane] = b[product * params.b_step + at];
      }
    }
    workgroupBarrier();
    sum += multiply_tiles(i, j);
    workgroupBarrier();
  }
  if (product < params.batch && m0 + i < params.m && n0 + j < params.n) {
    y[(product * params.m + m0 + i) * params.n + n0 + j] = sum;
  }
}
