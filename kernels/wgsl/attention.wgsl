// uses sequences
//
// Multi-head attention over ragged sequences (Vaswani et al. 2017), softmax in one pass over blocks of keys
// (Milakov and Gimelshein 2018; Dao 2023, "FlashAttention-2"): probabilities are never in memory.
//
//   s = q k^T / sqrt(D),  p = softmax(s),  y = drop(p) v      for every sequence b and head a
//
// qkv [N,3H]: query, key and value of head a start at column a D of each third. cu_seqlens [B+1]: rows of sequence b are
// cu_seqlens[b] .. cu_seqlens[b+1] - 1; rows past the last one give zeros.
//
// Work split: one workgroup is one row and one head. It takes the other side of its sequence 64 rows at a time: each lane
// makes the score of one of them, then the lanes take the columns of the head (at most 4 each, so D is at most 256).
// causal: query i of a sequence sees keys 0 .. i, and the others are not taken. Backward does so twice: with the row as query for dq, with the row as key for dk and dv. Saved: lse [N,A].
// Dropout: element = key within the sequence, plane = row * A + head.

var<workgroup> scores: array<f32, LANES>;
var<workgroup> others: array<f32, LANES>;
var<workgroup> bounds: vec2u;

const COLUMNS = 4u;  // of a head, for each lane

// ---------------------------------------------------------------- forward

// kernel attention_forward
struct Params {
  rows: u32, sequences: u32, heads: u32, hidden: u32, causal: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(1) var<storage, read_write> cu_seqlens: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: rows * heads
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group_index(group, groups);
  if (index >= params.rows * params.heads) {
    return;
  }
  let n = index / params.heads;
  let a = index % params.heads;
  let width = params.hidden / params.heads;
  let stride = 3u * params.hidden;
  if (lane == 0u) {
    bounds = sequence_of(n);
  }
  let range = workgroupUniformLoad(&bounds);
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let scale = 1.0 / sqrt(f32(width));
  let q = n * stride + a * width;
  var most = -MAX_FLOAT;
  var total = 0.0;
  var sums: array<f32, COLUMNS>;
  let end = select(range.y, min(range.y, n + 1u), params.causal != 0u);
  for (var k0 = range.x; k0 < end; k0 += LANES) {
    let count = min(LANES, end - k0);
    var score = -MAX_FLOAT;
    if (lane < count) {
      let k = (k0 + lane) * stride + params.hidden + a * width;
      score = 0.0;
      for (var d = 0u; d < width; d++) {
        score += scale * qkv[q + d] * qkv[k + d];
      }
    }
    let before = most;
    most = max(most, group_max(score, lane));
    var e = 0.0;
    if (lane < count) {
      e = exponential(score - most);
    }
    let shrink = exponential(before - most);
    total = total * shrink + group_sum(e, lane);
    if (lane < count) {
      scores[lane] = e * dropout_factor(site, k0 + lane - range.x, index);
    }
    workgroupBarrier();
    for (var c = 0u; c < COLUMNS; c++) {
      let d = lane + c * LANES;
      if (d < width) {
        var sum = sums[c] * shrink;
        for (var k = 0u; k < count; k++) {
          sum += scores[k] * qkv[(k0 + k) * stride + 2u * params.hidden + a * width + d];
        }
        sums[c] = sum;
      }
    }
  }
  for (var c = 0u; c < COLUMNS; c++) {
    let d = lane + c * LANES;
    if (d < width) {
      y[n * params.hidden + a * width + d] = select(0.0, sums[c] / total, total > 0.0);
    }
  }
  if (lane == 0u) {
    lse[index] = select(0.0, most + logarithm(total), total > 0.0);
  }
}

// ---------------------------------------------------------------- backward
// dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)
// with delta = rowsum(dy y)

// kernel attention_backward
struct Params {
  rows: u32, sequences: u32, heads: u32, hidden: u32, causal: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> cu_seqlens: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

struct Pair {
  kept: f32,  // probability after dropout
  ds: f32,    // gradient of the score
}

// Query row i against key row j of head a; `first` is the first row of their sequence.
fn backward_pair(i: u32, j: u32, a: u32, first: u32) -> Pair {
  let width = params.hidden / params.heads;
  let q = i * 3u * params.hidden + a * width;
  let k = j * 3u * params.hidden + params.hidden + a * width;
  let o = i * params.hidden + a * width;
  var score = 0.0;
  var dp = 0.0;
  var delta = 0.0;
  let scale = 1.0 / sqrt(f32(width));
  for (var d = 0u; d < width; d++) {
    score += scale * qkv[q + d] * qkv[k + d];
    dp += dy[o + d] * qkv[k + params.hidden + d];
    delta += dy[o + d] * y[o + d];
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let p = exponential(score - lse[i * params.heads + a]);
  let factor = dropout_factor(site, j - first, i * params.heads + a);
  return Pair(p * factor, p * (factor * dp - delta));
}

// workgroups: rows * heads
@compute @workgroup_size(LANES)
fn gradient_of_query(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group_index(group, groups);
  if (index >= params.rows * params.heads) {
    return;
  }
  let n = index / params.heads;
  let a = index % params.heads;
  let width = params.hidden / params.heads;
  if (lane == 0u) {
    bounds = sequence_of(n);
  }
  let range = workgroupUniformLoad(&bounds);
  var sums: array<f32, COLUMNS>;
  let end = select(range.y, min(range.y, n + 1u), params.causal != 0u);
  for (var k0 = range.x; k0 < end; k0 += LANES) {
    let count = min(LANES, end - k0);
    workgroupBarrier();
    if (lane < count) {
      scores[lane] = backward_pair(n, k0 + lane, a, range.x).ds;
    }
    workgroupBarrier();
    for (var c = 0u; c < COLUMNS; c++) {
      let d = lane + c * LANES;
      if (d < width) {
        for (var k = 0u; k < count; k++) {
          sums[c] += scores[k] * qkv[(k0 + k) * 3u * params.hidden + params.hidden + a * width + d];
        }
      }
    }
  }
  for (var c = 0u; c < COLUMNS; c++) {
    let d = lane + c * LANES;
    if (d < width) {
      dqkv[n * 3u * params.hidden + a * width + d] = sums[c] / sqrt(f32(width));
    }
  }
}

// workgroups: rows * heads
@compute @workgroup_size(LANES)
fn gradient_of_key_and_value(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group_index(group, groups);
  if (index >= params.rows * params.heads) {
    return;
  }
  let n = index / params.heads;
  let a = index % params.heads;
  let width = params.hidden / params.heads;
  if (lane == 0u) {
    bounds = sequence_of(n);
  }
  let range = workgroupUniformLoad(&bounds);
  var dk: array<f32, COLUMNS>;
  var dv: array<f32, COLUMNS>;
  for (var q0 = select(range.x, n, params.causal != 0u); q0 < range.y; q0 += LANES) {
    let count = min(LANES, range.y - q0);
    workgroupBarrier();
    if (lane < count) {
      let pair = backward_pair(q0 + lane, n, a, range.x);
      scores[lane] = pair.kept;
      others[lane] = pair.ds;
    }
    workgroupBarrier();
    for (var c = 0u; c < COLUMNS; c++) {
      let d = lane + c * LANES;
      if (d < width) {
        for (var k = 0u; k < count; k++) {
          dv[c] += scores[k] * dy[(q0 + k) * params.hidden + a * width + d];
          dk[c] += others[k] * qkv[(q0 + k) * 3u * params.hidden + a * width + d];
        }
      }
    }
  }
  for (var c = 0u; c < COLUMNS; c++) {
    let d = lane + c * LANES;
    if (d < width) {
      let at = n * 3u * params.hidden + params.hidden + a * width + d;
      dqkv[at] = dk[c] / sqrt(f32(width));
      dqkv[at + params.hidden] = dv[c];
    }
  }
}
