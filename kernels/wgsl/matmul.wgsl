// Matrix products y = op(a) op(b), one for each of a batch; a_step and b_step lead from one matrix to the next.
//
// Work split: one workgroup is a tile of 32 x 32 results of one product, one invocation 4 x 4 of them in registers.

const TILE = 32u;  // results of a workgroup in each direction: 8 x 8 invocations of 4 x 4

fn tiles(size: u32) -> u32 {
  return (size + TILE - 1u) / TILE;
}

// Four indices from `first` on, `step` apart, those past the end moved onto the last.
fn four(first: u32, step: u32, size: u32) -> vec4u {
  return min(first + step * vec4u(0u, 1u, 2u, 3u), vec4u(size - 1u));
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

// workgroups: batch * ceil(m / 32) * ceil(n / 32)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let each = tiles(params.m) * tiles(params.n);
  let product = group_index(group, groups) / max(each, 1u);
  let tile = group_index(group, groups) % max(each, 1u);
  let r0 = tile / tiles(params.n) * TILE + lane / 8u * 4u;
  let c0 = tile % tiles(params.n) * TILE + lane % 8u;
  if (product >= params.batch || r0 >= params.m || c0 >= params.n) {
    return;
  }
  let a0 = product * params.a_step;
  let b0 = product * params.b_step;
  let a_row = select(params.k, 1u, params.transpose_a != 0u);
  let a_column = select(1u, params.m, params.transpose_a != 0u);
  let b_row = select(params.n, 1u, params.transpose_b != 0u);
  let b_column = select(1u, params.k, params.transpose_b != 0u);
  let r = four(r0, 1u, params.m);
  let c = four(c0, 8u, params.n);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = 0u; k < params.k; k++) {
    let row = vec4f(b[b0 + c.x * b_column + k * b_row], b[b0 + c.y * b_column + k * b_row], b[b0 + c.z * b_column + k * b_row], b[b0 + c.w * b_column + k * b_row]);
    sum0 += a[a0 + r.x * a_row + k * a_column] * row;
    sum1 += a[a0 + r.y * a_row + k * a_column] * row;
    sum2 += a[a0 + r.z * a_row + k * a_column] * row;
    sum3 += a[a0 + r.w * a_row + k * a_column] * row;
  }
  let sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (r0 + i < params.m && c0 + 8u * j < params.n) {
        y[(product * params.m + r0 + i) * params.n + c0 + 8u * j] = sums[i][j];
      }
    }
  }
}
