// Cross-entropy of rows of logits.
//
//   lse[n] = log sum_c exp(logits[n,c]),   loss[n] = lse[n] - logits[n,labels[n]]
//
// Work split: one workgroup is one row, its lanes walk the classes with a stride of 64.
// Numerics: the largest logit is subtracted first. A label below 0 gives loss 0 and no gradient; one past the last
// class gives NaN. Saved for backward: lse.

// ---------------------------------------------------------------- forward

// kernel cross_entropy_forward
struct Params { rows: u32, classes: u32 }
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> labels: array<i32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> correct: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

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
  let row = n * params.classes;
  var most = -MAX_FLOAT;
  for (var c = lane; c < params.classes; c += LANES) {
    most = larger(most, logits[row + c]);
  }
  most = group_max(most, lane);
  var sum = 0.0;
  var first = params.classes;
  for (var c = lane; c < params.classes; c += LANES) {
    sum += exponential(logits[row + c] - most);
    if (logits[row + c] == most) {
      first = min(first, c);
    }
  }
  sum = group_sum(sum, lane);
  // class numbers below 2^24 are exact as floats
  let best = -group_max(-f32(first), lane);
  if (lane == 0u) {
    let label = labels[n];
    let l = logarithm(sum);
    lse[n] = most + l;
    loss[n] = 0.0;
    if (label >= i32(params.classes)) {
      loss[n] = bitcast<f32>(nan_bits);
    } else if (label >= 0) {
      loss[n] = l + (most - logits[row + u32(label)]);
    }
    correct[n] = select(0.0, 1.0, label >= 0 && f32(label) == best);
  }
}

// ---------------------------------------------------------------- backward
// dlogits[n,c] = dloss[n] (exp(logits[n,c] - lse[n]) - [c = labels[n]])

// kernel cross_entropy_backward
struct Params { rows: u32, classes: u32 }
@group(0) @binding(0) var<storage, read_write> dloss: array<f32>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

// workgroups: ceil(rows * classes / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i >= params.rows * params.classes) {
    return;
  }
  let n = i / params.classes;
  let label = labels[n];
  var g = 0.0;
  if (label >= 0) {
    g = dloss[n] * (exponential(logits[i] - lse[n]) - select(0.0, 1.0, u32(label) == i % params.classes));
  }
  dlogits[i] = g;
}
