// Rows by index: y[m,h] = x[index[m],h]; an index outside gives zeros and sends no gradient.
//
// Work split: forward, one invocation is one element. Backward, one workgroup is one pick m: if no pick before it has
// the same index it adds the gradients of all picks that have it, in their order, so a row has one owner.

// ---------------------------------------------------------------- forward

// kernel gather_forward
struct Params { rows: u32, picks: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(picks * hidden / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i >= params.picks * params.hidden) {
    return;
  }
  let row = index[i / params.hidden];
  var value = 0.0;
  if (row >= 0 && u32(row) < params.rows) {
    value = x[u32(row) * params.hidden + i % params.hidden];
  }
  y[i] = value;
}

// ---------------------------------------------------------------- backward

// kernel gather_backward
struct Params { rows: u32, picks: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: picks
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group_index(group, groups);
  if (first >= params.picks) {
    return;
  }
  let row = index[first];
  if (row < 0 || u32(row) >= params.rows) {
    return;
  }
  for (var m = 0u; m < first; m++) {
    if (index[m] == row) {
      return;
    }
  }
  for (var h = lane; h < params.hidden; h += LANES) {
    var sum = dx[u32(row) * params.hidden + h];
    for (var m = first; m < params.picks; m++) {
      if (index[m] == row) {
        sum += dy[m * params.hidden + h];
      }
    }
    dx[u32(row) * params.hidden + h] = sum;
  }
}
