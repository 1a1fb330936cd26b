// Dropout, residual and layer normalisation (the end of attention and of the feed-forward half of a block):
//
//   sum[n] = residual[n] + dropout(x[n]),   y[n] = LN(sum[n]) weight + bias,   all [rows, hidden]
//
// Work split: shared/norm_forward.wgsl and norm_backward.wgsl.
// Saved for backward: sum, mean, rstd; the dropout mask (element h of plane n) is drawn again.
//
// In f16 activations have 2 bytes an element instead of 4: forward moves 8 of them instead of 16, backward 12 instead of 24. Statistics are
// those of the sum as it is stored, which backward reads; weight, bias, their gradients, mean and rstd are f32.

fn norm_width() -> u32 {
  return params.hidden / WIDE;
}

// ---------------------------------------------------------------- forward

// kernel dropout_add_layernorm_forward
// form vec4, plain when: hidden % 4 == 0
// form single, plain
// f16 vec4, halves
// uses norm_forward
struct Params {
  rows: u32, hidden: u32, eps: f32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> residual: array<Stored>;
@group(0) @binding(2) var<storage, read_write> weight: array<Vec>;
@group(0) @binding(3) var<storage, read_write> bias: array<Vec>;
@group(0) @binding(4) var<storage, read_write> y: array<Stored>;
@group(0) @binding(5) var<storage, read_write> sum: array<Stored>;
@group(0) @binding(6) var<storage, read_write> mean: array<f32>;
@group(0) @binding(7) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

fn norm_input(n: u32, i: u32) -> Vec {
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let at = n * norm_width() + i;
  let s = stored(loaded(residual[at]) + loaded(x[at]) * kept_factors(site, i, n));
  sum[at] = s;
  return loaded(s);
}

fn norm_again(n: u32, i: u32) -> Vec {
  return loaded(sum[n * norm_width() + i]);
}

fn norm_output(n: u32, i: u32, hat: Vec) {
  y[n * norm_width() + i] = stored(hat * weight[i] + bias[i]);
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
// dresidual is the gradient of sum; dx = kept(dresidual) / (1 - p)
// kernel dropout_add_layernorm_backward
// form vec4, plain when: hidden % 4 == 0
// form single, plain
// f16 vec4, halves
// uses norm_backward
struct Params { rows: u32, hidden: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> sum: array<Stored>;
@group(0) @binding(2) var<storage, read_write> weight: array<Vec>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<Stored>;
@group(0) @binding(6) var<storage, read_write> dresidual: array<Stored>;
@group(0) @binding(7) var<storage, read_write> dweight: array<Vec>;
@group(0) @binding(8) var<storage, read_write> dbias: array<Vec>;
@group(0) @binding(9) var<storage, read_write> partial: array<Vec>;
@group(0) @binding(10) var<uniform> params: Params;

fn norm_gradient(n: u32, i: u32) -> Vec {
  return loaded(dy[n * norm_width() + i]);
}

fn norm_value(n: u32, i: u32) -> Vec {
  return loaded(sum[n * norm_width() + i]);
}

fn norm_weight(i: u32) -> Vec {
  return weight[i];
}

fn norm_give(n: u32, i: u32, g: Vec) {
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let at = n * norm_width() + i;
  dresidual[at] = stored(g);
  dx[at] = stored(g * kept_factors(site, i, n));
}

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn gradient_of_sum(
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
