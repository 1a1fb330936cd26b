// Cross-entropy of rows of logits.
//
//   lse[n] = log sum_c exp(logits[n,c]),   loss[n] = lse[n] - logits[n,labels[n]]
//
// Work split: forward, shared/rows and one read of the logits (shared/online.wgsl); backward, one invocation is one
// element of a row.
// Numerics: the largest logit is subtracted first. A label below 0 gives loss 0 and no gradient; one past the last
// class gives NaN. Saved for backward: lse.

// ---------------------------------------------------------------- forward

// kernel cross_entropy_forward
// when: classes % 4 == 0
// uses vec4, online
struct Params { rows: u32, classes: u32 }
@group(0) @binding(0) var<storage, read_write> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> correct: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn online_input(at: u32) -> Vec {
  return logits[at];
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
  let width = params.classes / WIDE;
  let found = online(n * width, width, row_lane(lane));
  if (row_lane(lane) == 0u) {
    let label = labels[n];
    let l = logarithm(found.sum);
    lse[n] = found.most + l;
    loss[n] = 0.0;
    if (label >= i32(params.classes)) {
      loss[n] = bitcast<f32>(nan_bits);
    } else if (label >= 0) {
      let c = u32(label);
      loss[n] = l + (found.most - logits[n * width + c / WIDE][c % WIDE]);
    }
    correct[n] = select(0.0, 1.0, label >= 0 && u32(label) == found.first);
  }
}

// kernel cross_entropy_forward
// uses single, online
struct Params { rows: u32, classes: u32 }
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> correct: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn online_input(at: u32) -> Vec {
  return logits[at];
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
  let width = params.classes / WIDE;
  let found = online(n * width, width, row_lane(lane));
  if (row_lane(lane) == 0u) {
    let label = labels[n];
    let l = logarithm(found.sum);
    lse[n] = found.most + l;
    loss[n] = 0.0;
    if (label >= i32(params.classes)) {
      loss[n] = bitcast<f32>(nan_bits);
    } else if (label >= 0) {
      let c = u32(label);
      loss[n] = l + (found.most - logits[n * width + c / WIDE]);
    }
    correct[n] = select(0.0, 1.0, label >= 0 && u32(label) == found.first);
  }
}

// ---------------------------------------------------------------- backward
// dlogits[n,c] = dloss[n] (exp(logits[n,c] - lse[n]) - [c = labels[n]])

// kernel cross_entropy_backward
// form vec4 when: classes % 4 == 0
// form single
struct Params { rows: u32, classes: u32 }
@group(0) @binding(0) var<storage, read_write> dloss: array<f32>;
@group(0) @binding(1) var<storage, read_write> logits: array<Vec>;
@group(0) @binding(2) var<storage, read_write> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<Vec>;
@group(0) @binding(5) var<uniform> params: Params;

// workgroups: ceil(rows * classes / (64 * WIDE))
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = element_index(group, groups, lane);
  let width = params.classes / WIDE;
  let n = e / width;
  if (n >= params.rows) {
    return;
  }
  let label = labels[n];
  var g = Vec();
  if (label >= 0) {
    g = dloss[n] * (exponentials(logits[e] - lse[n]) - is_number(e % width, u32(label)));
  }
  dlogits[e] = g;
}
