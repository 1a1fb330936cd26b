// Dropout, residual and layer normalisation (the end of attention and of the feed-forward half of a block):
//
//   sum[n] = residual[n] + dropout(x[n]),   y[n] = LN(sum[n]) weight + bias,   all [rows, hidden]
//
// Work split: one workgroup is one row. Gradients of weight and bias are sums over rows: blocks of 64 rows go to
// `partial`, one invocation a column, and the blocks are then added in order.
// Saved for backward: sum, mean, rstd; the dropout mask (element h of plane n) is drawn again.

const BLOCK = 64u;  // NORM_BLOCK in src/ops/layernorm.ts

// ---------------------------------------------------------------- forward

// kernel dropout_add_layernorm_forward
struct Params {
  rows: u32, hidden: u32, eps: f32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> residual: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> sum: array<f32>;
@group(0) @binding(6) var<storage, read_write> mean: array<f32>;
@group(0) @binding(7) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

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
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let row = n * params.hidden;
  var total = 0.0;
  for (var h = lane; h < params.hidden; h += LANES) {
    let s = residual[row + h] + x[row + h] * dropout_factor(site, h, n);
    sum[row + h] = s;
    total += s;
  }
  let m = group_sum(total, lane) / f32(params.hidden);
  total = 0.0;
  for (var h = lane; h < params.hidden; h += LANES) {
    let d = sum[row + h] - m;
    total += d * d;
  }
  let r = 1.0 / sqrt(group_sum(total, lane) / f32(params.hidden) + params.eps);
  for (var h = lane; h < params.hidden; h += LANES) {
    y[row + h] = (sum[row + h] - m) * r * weight[h] + bias[h];
  }
  if (lane == 0u) {
    mean[n] = m;
    rstd[n] = r;
  }
}

// ---------------------------------------------------------------- backward
// dresidual is the gradient of sum; dx = kept(dresidual) / (1 - p)

// kernel dropout_add_layernorm_backward
struct Params { rows: u32, hidden: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> sum: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> dresidual: array<f32>;
@group(0) @binding(7) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(8) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(9) var<storage, read_write> partial: array<f32>;
@group(0) @binding(10) var<uniform> params: Params;

// workgroups: rows
@compute @workgroup_size(LANES)
fn gradient_of_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.rows) {
    return;
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let row = n * params.hidden;
  var sum_g = 0.0;
  var sum_gx = 0.0;
  for (var h = lane; h < params.hidden; h += LANES) {
    let g = dy[row + h] * weight[h];
    sum_g += g;
    sum_gx += g * (sum[row + h] - mean[n]) * rstd[n];
  }
  let mean_g = group_sum(sum_g, lane) / f32(params.hidden);
  let mean_gx = group_sum(sum_gx, lane) / f32(params.hidden);
  for (var h = lane; h < params.hidden; h += LANES) {
    let hat = (sum[row + h] - mean[n]) * rstd[n];
    let g = rstd[n] * (dy[row + h] * weight[h] - mean_g - hat * mean_gx);
    dresidual[row + h] = g;
    dx[row + h] = g * dropout_factor(site, h, n);
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
    w += d * (sum[n * params.hidden + h] - mean[n]) * rstd[n];
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
