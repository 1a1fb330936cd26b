// Projection onto a vocabulary and cross-entropy without the logits in memory:
//
//   logits[m,v] = sum_e x[m,e] weight[v,e] + bias[v],   lse[m] = log sum_v exp(logits[m,v]),   loss[m] = lse[m] - logits[m,label]
//   dlogits[m,v] = dloss[m] (exp(logits[m,v] - lse[m]) - [v = label]),   x [rows, width], weight [vocabulary, width]
//
// Work split: forward, tiles of the product (shared/product) for chunks of words, each of which leaves its statistics
// (shared/vocabulary_chunks), then one invocation joins those of a row. Backward computes tiles of logits again and multiplies them
// with x for dweight, with weight for dx (shared/vocabulary_gradients). A form for widths that are multiples of four, one for any.
// Numerics: a label below 0 gives loss 0 and no gradient, one past the vocabulary loss NaN. Saved for backward: lse.

// ---------------------------------------------------------------- forward

// kernel linear_cross_entropy_forward
// uses product, vocabulary_chunks
// when: width % 4 == 0
struct Params { rows: u32, width: u32, vocabulary: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> labels: array<i32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> correct: array<f32>;
@group(0) @binding(7) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(m: u32, e: u32) -> vec4f {
  return x[(m * params.width + e) / 4u];
}

fn right4(v: u32, e: u32) -> vec4f {
  return weight[(v * params.width + e) / 4u];
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(vocabulary / CHUNK)
@compute @workgroup_size(TILE_LANES)
fn statistics_of_chunks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  chunk_statistics(group_index(group, groups), lane);
}

// workgroups: ceil(rows / 64)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  join_chunks(element_index(group, groups, lane));
}

// kernel linear_cross_entropy_forward
// uses product, vocabulary_chunks
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

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(m: u32, e: u32) -> vec4f {
  let at = m * params.width + e;
  return before(params.width, e, vec4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]));
}

fn right4(v: u32, e: u32) -> vec4f {
  let at = v * params.width + e;
  return before(params.width, e, vec4f(weight[at], weight[at + 1u], weight[at + 2u], weight[at + 3u]));
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(vocabulary / CHUNK)
@compute @workgroup_size(TILE_LANES)
fn statistics_of_chunks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  chunk_statistics(group_index(group, groups), lane);
}

// workgroups: ceil(rows / 64)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  join_chunks(element_index(group, groups, lane));
}

// ---------------------------------------------------------------- backward

// kernel linear_cross_entropy_backward
// uses vocabulary_gradients
// when: width % 4 == 0
struct Params { rows: u32, width: u32, vocabulary: u32 }
@group(0) @binding(0) var<storage, read_write> dloss: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> labels: array<i32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dweight: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(9) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(10) var<uniform> params: Params;

fn x4(m: u32, e: u32) -> vec4f {
  return x[(m * params.width + e) / 4u];
}

fn weight4(v: u32, e: u32) -> vec4f {
  return weight[(v * params.width + e) / 4u];
}

fn add_dweight(v: u32, e: u32, sums: vec4f) {
  dweight[(v * params.width + e) / 4u] += sums;
}

fn partial4(at: u32) -> vec4f {
  return partial[at / 4u];
}

fn set_partial(group: u32, m: u32, e: u32, sums: vec4f) {
  partial[((group * params.rows + m) * params.width + e) / 4u] = sums;
}

// workgroups: ceil(vocabulary / WORDS)
@compute @workgroup_size(LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  weight_gradient(group_index(group, groups), lane);
}

// workgroups: ceil(rows / ROWS) * min(GROUPS, ceil(vocabulary / CHUNK))
@compute @workgroup_size(LANES)
fn gradient_of_x(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  x_gradient(group_index(group, groups), lane);
}

// workgroups: ceil(rows * width / 256)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = element_index(group, groups, lane) * 4u;
  if (at < params.rows * params.width) {
    dx[at / 4u] = joined_partials(at / params.width, at % params.width);
  }
}

// kernel linear_cross_entropy_backward
// uses vocabulary_gradients
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

fn x4(m: u32, e: u32) -> vec4f {
  let at = m * params.width + e;
  return before(params.width, e, vec4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]));
}

fn weight4(v: u32, e: u32) -> vec4f {
  let at = v * params.width + e;
  return before(params.width, e, vec4f(weight[at], weight[at + 1u], weight[at + 2u], weight[at + 3u]));
}

fn add_dweight(v: u32, e: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.width - e); i++) {
    dweight[v * params.width + e + i] += sums[i];
  }
}

fn partial4(at: u32) -> vec4f {
  return vec4f(partial[at], partial[at + 1u], partial[at + 2u], partial[at + 3u]);
}

fn set_partial(group: u32, m: u32, e: u32, sums: vec4f) {
  let at = (group * params.rows + m) * params.width + e;
  for (var i = 0u; i < min(4u, params.width - e); i++) {
    partial[at + i] = sums[i];
  }
}

// workgroups: ceil(vocabulary / WORDS)
@compute @workgroup_size(LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  weight_gradient(group_index(group, groups), lane);
}

// workgroups: ceil(rows / ROWS) * min(GROUPS, ceil(vocabulary / CHUNK))
@compute @workgroup_size(LANES)
fn gradient_of_x(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  x_gradient(group_index(group, groups), lane);
}

// workgroups: ceil(rows * width / 64)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = element_index(group, groups, lane);
  if (at < params.rows * params.width) {
    dx[at] = joined_partials(at / params.width, at % params.width).x;
  }
}
