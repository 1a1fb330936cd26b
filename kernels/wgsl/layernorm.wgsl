// Layer normalisation over the last dimension (Ba et al. 2016).
//
//   y[n,h] = (x[n,h] - mean[n]) * rstd[n] * weight[h] + bias[h],   rstd = 1 / sqrt(var + eps), biased variance
//
// Work split: one workgroup is one row. Gradients of weight and bias are sums over rows: blocks of 64 rows go to
// `partial`, one invocation a column, and the blocks are then added in order.
// Saved for backward: mean and rstd, one float a row.

const BLOCK = 64u;  // NORM_BLOCK in src/ops/layernorm.ts

// ---------------------------------------------------------------- forward

// kernel layernorm_forward
struct Params { rows: u32, hidden: u32, eps: f32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// workgroups: rows
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.rows) {
    return;
  }
  let row = n * params.hidden;
  var sum = 0.0;
  for (var h = lane; h < params.hidden; h += LANES) {
    sum += x[row + h];
  }
  let m = group_sum(sum, lane) / f32(params.hidden);
  sum = 0.0;
  for (var h = lane; h < params.hidden; h += LANES) {
    let d = x[row + h] - m;
    sum += d * d;
  }
  let r = 1.0 / sqrt(group_sum(sum, lane) / f32(params.hidden) + params.eps);
  for (var h = lane; h < params.hidden; h += LANES) {
    y[row + h] = (x[row + h] - m) * r * weight[h] + bias[h];
  }
  if (lane == 0u) {
    mean[n] = m;
    rstd[n] = r;
  }
}

// ---------------------------------------------------------------- backward
// g = dy * weight, x^ = (x - mean) rstd:   dx = rstd (g - mean(g) - x^ mean(g x^))

// kernel layernorm_backward
struct Params { rows: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(7) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;
@group(0) @binding(9) var<uniform> params: Params;

// workgroups: rows
@compute @workgroup_size(LANES)
fn gradient_of_x(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.rows) {
    return;
  }
  let row = n * params.hidden;
  var sum_g = 0.0;
  var sum_gx = 0.0;
  for (var h = lane; h < params.hidden; h += LANES) {
    let g = dy[row + h] * weight[h];
    sum_g += g;
    sum_gx += g * (x[row + h] - mean[n]) * rstd[n];
  }
  let mean_g = group_sum(sum_g, lane) / f32(params.hidden);
  let mean_gx = group_sum(sum_gx, lane) / f32(params.hidden);
  for (var h = lane; h < params.hidden; h += LANES) {
    let hat = (x[row + h] - mean[n]) * rstd[n];
    dx[row + h] = rstd[n] * (dy[row + h] * weight[h] - mean_g - hat * mean_gx);
  }
}

// workgroups: ceil(rows / 64) * ceil(hidden / 64)
@compute @workgroup_size(LANES)
fn sum_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let columns = (params.hidden + LANES - 1u) / LANES;
  let block = group_index(group, groups) / columns;
  let h = group_index(group, groups) % columns * LANES + lane;
  if (h >= params.hidden || block * BLOCK >= params.rows) {
    return;
  }
  var w = 0.0;
  var b = 0.0;
  for (var n = block * BLOCK; n < min(params.rows, (block + 1u) * BLOCK); n++) {
    let d = dy[n * params.hidden + h];
    w += d * (x[n * params.hidden + h] - mean[n]) * rstd[n];
    b += d;
  }
  partial[2u * block * params.hidden + h] = w;
  partial[(2u * block + 1u) * params.hidden + h] = b;
}

// workgroups: ceil(hidden / 64)
@compute @workgroup_size(LANES)
fn add_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let h = element_index(group, groups, lane);
  if (h >= params.hidden) {
    return;
  }
  var w = dweight[h];
  var b = dbias[h];
  for (var block = 0u; block * BLOCK < params.rows; block++) {
    w += partial[2u * block * params.hidden + h];
    b += partial[(2u * block + 1u) * params.hidden + h];
  }
  dweight[h] = w;
  dbias[h] = b;
}
