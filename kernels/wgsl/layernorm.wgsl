// Layer normalisation over the last dimension (Ba et al. 2016).
//
//   y[n,h] = (x[n,h] - mean[n]) * rstd[n] * weight[h] + bias[h],   rstd = 1 / sqrt(var + eps), biased variance
//
// Work split: shared/norm_forward.wgsl and norm_backward.wgsl. Saved for backward: mean and rstd, one float a row.

fn norm_width() -> u32 {
  return params.hidden / WIDE;
}

// ---------------------------------------------------------------- forward

// kernel layernorm_forward
// form vec4 when: hidden % 4 == 0
// form single
// uses norm_forward
struct Params { rows: u32, hidden: u32, eps: f32 }
@group(0) @binding(0) var<storage, read_write> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> weight: array<Vec>;
@group(0) @binding(2) var<storage, read_write> bias: array<Vec>;
@group(0) @binding(3) var<storage, read_write> y: array<Vec>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

fn norm_input(n: u32, i: u32) -> Vec {
  return x[n * norm_width() + i];
}

fn norm_again(n: u32, i: u32) -> Vec {
  return x[n * norm_width() + i];
}

fn norm_output(n: u32, i: u32, hat: Vec) {
  y[n * norm_width() + i] = hat * weight[i] + bias[i];
}

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n < params.rows) {
    norm_forward(n, row_lane(lane), params.eps);
  }
}

// ---------------------------------------------------------------- backward
// kernel layernorm_backward
// form vec4 when: hidden % 4 == 0
// form single
// uses norm_backward
struct Params { rows: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Vec>;
@group(0) @binding(1) var<storage, read_write> x: array<Vec>;
@group(0) @binding(2) var<storage, read_write> weight: array<Vec>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(6) var<storage, read_write> dweight: array<Vec>;
@group(0) @binding(7) var<storage, read_write> dbias: array<Vec>;
@group(0) @binding(8) var<storage, read_write> partial: array<Vec>;
@group(0) @binding(9) var<uniform> params: Params;

fn norm_gradient(n: u32, i: u32) -> Vec {
  return dy[n * norm_width() + i];
}

fn norm_value(n: u32, i: u32) -> Vec {
  return x[n * norm_width() + i];
}

fn norm_weight(i: u32) -> Vec {
  return weight[i];
}

fn norm_give(n: u32, i: u32, g: Vec) {
  dx[n * norm_width() + i] = g;
}

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn gradient_of_x(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n < params.rows) {
    norm_backward(n, row_lane(lane));
  }
}

// workgroups: ceil(ceil(rows / 64) * hidden / (64 * WIDE))
@compute @workgroup_size(LANES)
fn sum_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  sum_block(element_index(group, groups, lane));
}

// workgroups: ceil(ceil(rows / 1024) * hidden / (64 * WIDE))
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  join_blocks(element_index(group, groups, lane));
}

// workgroups: ceil(hidden / (64 * WIDE))
@compute @workgroup_size(LANES)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  add_blocks(element_index(group, groups, lane));
}
