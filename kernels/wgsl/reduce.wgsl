// Sum, mean or maximum over the middle axis: y[o,i] = fn over k of x[o,k,i].
//
// Work split, by the shape: a long row is shared by a workgroup; a row by whoever owns rows (shared/rows); columns that
// are short have an invocation each, neighbours beside each other; others are shared as rows are. Backward: one
// invocation is one element of dx; for the maximum one output of the forward pass, whose axis it walks.
// Numerics: mean of nothing is 0, maximum of nothing -inf. Of equal maxima the first gets the gradient.

const SUM = 0u;  // the order of REDUCE_FUNCTIONS in src/ops/reduce.ts
const MEAN = 1u;
const MAXIMUM = 2u;

// ---------------------------------------------------------------- forward

// kernel reduce_forward
// when: inner == 1 && axis % 4 == 0 && axis >= 4096
// uses vec4, reduction, reduce
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn reduced_input(at: u32) -> Vec {
  return x[at];
}

// workgroups: outer
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.outer) {
    return;
  }
  let width = params.axis / WIDE;
  var value = walk(params.fn_, n * width + lane, share(width, lane, LANES), LANES);
  if (params.fn_ == MAXIMUM) {
    value = group_max(value, lane);
  } else {
    value = group_sum(value, lane);
  }
  if (lane == 0u) {
    y[n] = finish(params.fn_, value);
  }
}

// kernel reduce_forward
// when: inner == 1 && axis >= 4096
// uses single, reduction, reduce
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn reduced_input(at: u32) -> Vec {
  return x[at];
}

// workgroups: outer
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.outer) {
    return;
  }
  var value = walk(params.fn_, n * params.axis + lane, share(params.axis, lane, LANES), LANES);
  if (params.fn_ == MAXIMUM) {
    value = group_max(value, lane);
  } else {
    value = group_sum(value, lane);
  }
  if (lane == 0u) {
    y[n] = finish(params.fn_, value);
  }
}

// kernel reduce_forward
// when: inner == 1 && axis % 4 == 0
// uses vec4, reduction, rows
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn reduced_input(at: u32) -> Vec {
  return x[at];
}

// workgroups: ceil(outer / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.outer) {
    return;
  }
  let width = params.axis / WIDE;
  let own = row_lane(lane);
  var value = walk(params.fn_, n * width + own, share(width, own, TEAM), TEAM);
  if (params.fn_ == MAXIMUM) {
    value = row_max(value, own);
  } else {
    value = row_sum(value, own);
  }
  if (own == 0u) {
    y[n] = finish(params.fn_, value);
  }
}

// kernel reduce_forward
// when: inner > 1 && axis <= 256
// uses single, reduction
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn reduced_input(at: u32) -> Vec {
  return x[at];
}

// workgroups: ceil(outer * inner / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = element_index(group, groups, lane);
  if (n >= params.outer * params.inner) {
    return;
  }
  let start = n / params.inner * params.axis * params.inner + n % params.inner;
  y[n] = finish(params.fn_, walk(params.fn_, start, params.axis, params.inner));
}

// kernel reduce_forward
// uses single, reduction, rows
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn reduced_input(at: u32) -> Vec {
  return x[at];
}

// workgroups: ceil(outer * inner / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.outer * params.inner) {
    return;
  }
  let start = n / params.inner * params.axis * params.inner + n % params.inner;
  let own = row_lane(lane);
  var value = walk(params.fn_, start + own * params.inner, share(params.axis, own, TEAM), TEAM * params.inner);
  if (params.fn_ == MAXIMUM) {
    value = row_max(value, own);
  } else {
    value = row_sum(value, own);
  }
  if (own == 0u) {
    y[n] = finish(params.fn_, value);
  }
}

// ---------------------------------------------------------------- backward
// sum: dx = dy;   mean: dx = dy / axis

// kernel reduce_backward
// when: inner == 1 && axis % 4 == 0
// uses vec4
struct Params { outer: u32, axis: u32, inner: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(outer * axis * inner / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  let n = i / (params.axis / WIDE);
  if (n < params.outer) {
    dx[i] = Vec(select(dy[n], dy[n] / f32(params.axis), params.fn_ == MEAN));
  }
}

// kernel reduce_backward
// uses single
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
