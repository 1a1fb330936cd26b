// Dense layer with GELU in its tanh form: z = x weight^T + bias, y = gelu(z); z is saved for backward.
//
// Work split: as linear.wgsl. Backward makes dz here; the rest is linear's.

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

// kernel linear_gelu_forward
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

// workgroups: ceil(rows / 16) * ceil(out / 16)
@compute @workgroup_size(TILE * TILE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let i = lane / TILE;
  let j = lane % TILE;
  let n0 = tile / tiles(params.out) * TILE;
  let o0 = tile % tiles(params.out) * TILE;
  var sum = 0.0;
  for (var k = 0u; k < params.in; k += TILE) {
    left[lane] = 0.0;
    right[lane] = 0.0;
    if (n0 + i < params.rows && k + j < params.in) {
      left[lane] = x[(n0 + i) * params.in + k + j];
    }
    if (o0 + i < params.out && k + j < params.in) {
      right[lane] = weight[(o0 + i) * params.in + k + j];
    }
    workgroupBarrier();
    sum += multiply_tiles(i, j);
    workgroupBarrier();
  }
  if (n0 + i < params.rows && o0 + j < params.out) {
    let at = (n0 + i) * params.out + o0 + j;
    z[at] = sum + bias[o0 + j];
    y[at] = gelu(sum + bias[o0 + j]);
  }
}

// ---------------------------------------------------------------- backward

// kernel linear_gelu_backward_activation
struct Params { rows: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> dz: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows * out / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.rows * params.out) {
    dz[i] = dy[i] * gelu_derivative(z[i]);
  }
}
