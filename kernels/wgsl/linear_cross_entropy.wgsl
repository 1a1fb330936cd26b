// uses reduce
// Projection onto a vocabulary and cross-entropy without the logits in memory:
//
//   logits[m,v] = sum_e x[m,e] weight[v,e] + bias[v],   lse[m] = log sum_v exp(logits[m,v]),   loss[m] = lse[m] - logits[m,label]
//   dlogits[m,v] = dloss[m] (exp(logits[m,v] - lse[m]) - [v = label]),   x [rows, width], weight [vocabulary, width]
//
// Work split: forward, one workgroup is one row of x; each lane takes every 64th word and keeps a running maximum and sum
// (online softmax, Milakov and Gimelshein 2018), which are joined at the end. Backward, one workgroup is one word for
// dweight and dbias, then one row for dx; it computes 64 logits at a time, one a lane, then the lanes take the columns.
// Numerics: a label below 0 gives loss 0 and no gradient, one past the vocabulary loss NaN. Saved for backward: lse.

// ---------------------------------------------------------------- forward

// kernel linear_cross_entropy_forward
struct Params { rows: u32, width: u32, vocabulary: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> labels: array<i32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> correct: array<f32>;
@group(0) @binding(7) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

fn logit(m: u32, v: u32) -> f32 {
  var sum = 0.0;
  for (var e = 0u; e < params.width; e++) {
    sum += x[m * params.width + e] * weight[v * params.width + e];
  }
  return sum + bias[v];
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let m = group_index(group, groups);
  if (m >= params.rows) {
    return;
  }
  var most = -MAX_FLOAT;
  var total = 0.0;
  var first = 0u;
  for (var v = lane; v < params.vocabulary; v += LANES) {
    let l = logit(m, v);
    if (l > most) {
      total = total * exponential(most - l);
      most = l;
      first = v;
    }
    total += exponential(l - most);
  }
  let largest = group_max(most, lane);
  let sum = group_sum(total * exponential(most - largest), lane);
  // word numbers below 2^24 are exact as floats
  let best = -group_max(select(-MAX_FLOAT, -f32(first), most == largest), lane);
  if (lane == 0u) {
    lse[m] = largest + logarithm(sum);
    loss[m] = 0.0;
    correct[m] = 0.0;
    let label = labels[m];
    if (label >= i32(params.vocabulary)) {
      loss[m] = bitcast<f32>(nan_bits);
    } else if (label >= 0) {
      loss[m] = logarithm(sum) + (largest - logit(m, u32(label)));
      correct[m] = select(0.0, 1.0, f32(label) == best);
    }
  }
}

// ---------------------------------------------------------------- backward

// kernel linear_cross_entropy_backward
struct Params { rows: u32, width: u32, vocabulary: u32 }
@group(0) @binding(0) var<storage, read_write> dloss: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> labels: array<i32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;
@group(0) @binding(7) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(8) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(9) var<storage, read_write> partial: array<f32>;
@group(0) @binding(10) var<uniform> params: Params;

var<workgroup> dlogits: array<f32, LANES>;

fn dlogit(m: u32, v: u32) -> f32 {
  if (m >= params.rows || v >= params.vocabulary || labels[m] < 0 || u32(labels[m]) >= params.vocabulary) {
    return 0.0;
  }
  var sum = 0.0;
  for (var e = 0u; e < params.width; e++) {
    sum += x[m * params.width + e] * weight[v * params.width + e];
  }
  return dloss[m] * (exponential(sum + bias[v] - lse[m]) - select(0.0, 1.0, u32(labels[m]) == v));
}

// workgroups: vocabulary
@compute @workgroup_size(LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let v = group_index(group, groups);
  if (v >= params.vocabulary) {
    return;
  }
  var total = 0.0;
  for (var m0 = 0u; m0 < params.rows; m0 += LANES) {
    let d = dlogit(m0 + lane, v);
    total += d;
    workgroupBarrier();
    dlogits[lane] = d;
    workgroupBarrier();
    for (var e = lane; e < params.width; e += LANES) {
      var sum = dweight[v * params.width + e];
      for (var k = 0u; k < min(LANES, params.rows - m0); k++) {
        sum += dlogits[k] * x[(m0 + k) * params.width + e];
      }
      dweight[v * params.width + e] = sum;
    }
  }
  total = group_sum(total, lane);
  if (lane == 0u) {
    dbias[v] += total;
  }
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn gradient_of_x(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let m = group_index(group, groups);
  if (m >= params.rows) {
    return;
  }
  for (var v0 = 0u; v0 < params.vocabulary; v0 += LANES) {
    workgroupBarrier();
    dlogits[lane] = dlogit(m, v0 + lane);
    workgroupBarrier();
    for (var e = lane; e < params.width; e += LANES) {
      var sum = select(dx[m * params.width + e], 0.0, v0 == 0u);
      for (var k = 0u; k < min(LANES, params.vocabulary - v0); k++) {
        sum += dlogits[k] * weight[(v0 + k) * params.width + e];
      }
      dx[m * params.width + e] = sum;
    }
  }
}
