// Softmax over the last dimension, y[n,c] = exp(x[n,c]) / sum_c exp(x[n,c]), or its logarithm.
//
// Work split: shared/rows; forward, two reads of x (shared/online.wgsl, then y). The largest x is subtracted first; a row
// whose values are all -inf gives zeros (log: -inf).

// ---------------------------------------------------------------- forward

// kernel softmax_forward
// form vec4 when: columns % 4 == 0
// form single
// uses online
struct Params { rows: u32, columns: u32, log: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

fn online_input(at: u32) -> Vec {
  return x[at];
}

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.rows) {
    return;
  }
  let width = params.columns / WIDE;
  let found = online(n * width, width, row_lane(lane));
  let shift = select(logarithm(found.sum), 0.0, found.sum == 0.0);
  let scale = 1.0 / select(found.sum, 1.0, found.sum == 0.0);
  for (var i = n * width + row_lane(lane); i < (n + 1u) * width; i += TEAM) {
    if (params.log != 0u) {
      y[i] = x[i] - found.most - shift;
    } else {
      y[i] = exponentials(x[i] - found.most) * scale;
    }
  }
}

// ---------------------------------------------------------------- backward
// dx = y (dy - sum_c dy y);   of the logarithm: dx = dy - exp(y) sum_c dy
// kernel softmax_backward
// form vec4 when: columns % 4 == 0
// form single
// uses rows
struct Params { rows: u32, columns: u32, log: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.rows) {
    return;
  }
  let width = params.columns / WIDE;
  var sums = Vec();
  for (var i = n * width + row_lane(lane); i < (n + 1u) * width; i += TEAM) {
    if (params.log != 0u) {
      sums += dy[i];
    } else {
      sums += dy[i] * y[i];
    }
  }
  let sum = row_sum(total(sums), row_lane(lane));
  for (var i = n * width + row_lane(lane); i < (n + 1u) * width; i += TEAM) {
    if (params.log != 0u) {
      dx[i] = dy[i] - exponentials(y[i]) * sum;
    } else {
      dx[i] = y[i] * (dy[i] - sum);
    }
  }
}
