// Softmax over the last dimension, y[n,c] = exp(x[n,c]) / sum_c exp(x[n,c]), or its logarithm.
//
// Work split: one workgroup is one row, its lanes walk the columns with a stride of 64. The largest x is subtracted first;
// a row whose values are all -inf gives zeros (log: -inf).

// ---------------------------------------------------------------- forward

// kernel softmax_forward
struct Params { rows: u32, columns: u32, log: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

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
  let row = n * params.columns;
  var most = -MAX_FLOAT;
  for (var c = lane; c < params.columns; c += LANES) {
    most = larger(most, x[row + c]);
  }
  most = group_max(most, lane);
  var sum = 0.0;
  for (var c = lane; c < params.columns; c += LANES) {
    sum += exponential(x[row + c] - most);
  }
  sum = group_sum(sum, lane);
  for (var c = lane; c < params.columns; c += LANES) {
    if (params.log != 0u) {
      y[row + c] = x[row + c] - most - select(logarithm(sum), 0.0, sum == 0.0);
    } else {
      y[row + c] = exponential(x[row + c] - most) / select(sum, 1.0, sum == 0.0);
    }
  }
}

// ---------------------------------------------------------------- backward
// dx = y (dy - sum_c dy y);   of the logarithm: dx = dy - exp(y) sum_c dy

// kernel softmax_backward
struct Params { rows: u32, columns: u32, log: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

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
  let row = n * params.columns;
  var sum = 0.0;
  for (var c = lane; c < params.columns; c += LANES) {
    sum += dy[row + c] * select(y[row + c], 1.0, params.log != 0u);
  }
  sum = group_sum(sum, lane);
  for (var c = lane; c < params.columns; c += LANES) {
    if (params.log != 0u) {
      dx[row + c] = dy[row + c] - exponential(y[row + c]) * sum;
    } else {
      dx[row + c] = y[row + c] * (dy[row + c] - sum);
    }
  }
}
