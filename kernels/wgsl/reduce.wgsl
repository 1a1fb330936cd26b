// Sum, mean or maximum over the middle axis: y[o,i] = fn over k of x[o,k,i].
//
// Work split: one workgroup is one output; its lanes walk the axis with a stride of 64 and are then added up.
// Backward: one invocation is one output of the forward pass and walks the axis.
// Numerics: mean of nothing is 0, maximum of nothing -inf. Of equal maxima the first gets the gradient.

const SUM = 0u;  // the order of REDUCE_FUNCTIONS in src/ops/reduce.ts
const MEAN = 1u;

// ---------------------------------------------------------------- forward

// kernel reduce_forward
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: outer * inner
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let output = group_index(group, groups);
  if (output >= params.outer * params.inner) {
    return;
  }
  let first = output / params.inner * params.axis * params.inner + output % params.inner;
  if (params.fn_ == SUM || params.fn_ == MEAN) {
    var sum = 0.0;
    for (var k = lane; k < params.axis; k += LANES) {
      sum += x[first + k * params.inner];
    }
    sum = group_sum(sum, lane);
    if (lane == 0u) {
      y[output] = select(sum, sum / f32(max(params.axis, 1u)), params.fn_ == MEAN);
    }
  } else {
    var most = -bitcast<f32>(infinity_bits);
    for (var k = lane; k < params.axis; k += LANES) {
      most = larger(most, x[first + k * params.inner]);
    }
    most = group_max(most, lane);
    if (lane == 0u) {
      y[output] = most;
    }
  }
}

// ---------------------------------------------------------------- backward
// sum: dx = dy;   mean: dx = dy / axis

// kernel reduce_backward
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(outer * axis * inner / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.outer * params.axis * params.inner) {
    let g = dy[i / params.inner / params.axis * params.inner + i % params.inner];
    dx[i] = select(g, g / f32(params.axis), params.fn_ == MEAN);
  }
}

// kernel reduce_backward_max
struct Params { outer: u32, axis: u32, inner: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(outer * inner / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let output = element_index(group, groups, lane);
  if (output >= params.outer * params.inner) {
    return;
  }
  let first = output / params.inner * params.axis * params.inner + output % params.inner;
  var found = false;
  for (var k = 0u; k < params.axis; k++) {
    let i = first + k * params.inner;
    let chosen = !found && x[i] == y[output];
    dx[i] = select(0.0, dy[output], chosen);
    found = found || chosen;
  }
}
