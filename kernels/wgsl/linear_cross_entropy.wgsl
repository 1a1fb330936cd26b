// Projection onto a vocabulary and cross-entropy without the logits in memory:
//
//   logits[m,v] = sum_e x[m,e] weight[v,e] + bias[v],   lse[m] = log sum_v exp(logits[m,v]),   loss[m] = lse[m] - logits[m,label]
//   dlogits[m,v] = dloss[m] (exp(logits[m,v] - lse[m]) - [v = label]),   x [rows, width], weight [vocabulary, width]
//
// Work split: forward, tiles of the product (shared/product) for chunks of words, each of which leaves its statistics
// (shared/vocabulary_chunks), then one invocation joins those of a row. Backward goes through the vocabulary in rounds of ROUND words:
// it computes their logits again and leaves dlogits in scratch memory, from where two more products make the words' dweight and, in
// groups of words that are joined in their order at the end, dx. All are products of shared/product, so four in a step, one more
// than there must be; the fourth is what it costs that logits are not kept from the forward pass.
//
// By count for a GPU, width 128: dlogits are written once and read three times, 16 bytes for the 768 operations of a logit in backward, in
// rounds that a second-level cache holds (32 KiB a row). Products have ceil(rows / 64) x 128, 128 x 2 and ceil(rows / 64) x 2 x 32
// tiles of 64 x 64 in each round.
// Forms: for widths that are multiples of four, and for any.
// Numerics: a label below 0 gives loss 0 and no gradient, one past the vocabulary loss NaN. Saved for backward: lse.

// ---------------------------------------------------------------- forward

// kernel linear_cross_entropy_forward
// uses product, vocabulary_chunks
// form vocabulary_fours when: width % 4 == 0
// form vocabulary_words
struct Params { rows: u32, width: u32, vocabulary: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> weight: array<Element>;
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
  return x4(m, e);
}

fn right4(v: u32, e: u32) -> vec4f {
  return weight4(v, e);
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
// uses product, vec4, column_sums
// form vocabulary_fours, vocabulary_gradient_fours when: width % 4 == 0
// form vocabulary_words, vocabulary_gradient_words
// rounds: ceil(vocabulary / ROUND)
struct Params { rows: u32, width: u32, vocabulary: u32, round: u32 }
@group(0) @binding(0) var<storage, read_write> dloss: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> weight: array<Element>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> labels: array<i32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<Element>;
@group(0) @binding(7) var<storage, read_write> dweight: array<Element>;
@group(0) @binding(8) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(9) var<storage, read_write> partial: array<Element>;
@group(0) @binding(10) var<uniform> params: Params;
// [rows, line], of the words of a round; zero behind the last word, up to a whole four
// scratch: labels * min(ROUND, 4 * ceil(vocabulary / 4))
@group(0) @binding(11) var<storage, read_write> dlogits: array<vec4f>;

const CHUNK = 256u;           // VOCABULARY_CHUNK in src/ops/linear_cross_entropy.ts
const GROUPS = 32u;           // VOCABULARY_GROUPS
const ROUND = GROUPS * CHUNK; // so that each group has one chunk of a round

// First word of this round, and how many words there are in it.
fn first_word() -> u32 {
  return params.round * ROUND;
}

fn word_count() -> u32 {
  return min(ROUND, params.vocabulary - first_word());
}

// Place of dlogits[m, v to v + 3], where v is a multiple of four and counts from the first word of the round.
fn place_of_dlogits(m: u32, v: u32) -> u32 {
  let line = min(ROUND / 4u, (params.vocabulary + 3u) / 4u);
  return m * line + v / 4u;
}

// Of rows of dlogits, for their sums.
fn row4(v: u32, m: u32) -> vec4f {
  return dlogits[place_of_dlogits(m, v)];
}

// part
// ---- dlogits

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(m: u32, e: u32) -> vec4f {
  return x4(m, e);
}

fn right4(v: u32, e: u32) -> vec4f {
  return weight4(first_word() + v, e);
}

fn finish(m: u32, v: u32, sums: vec4f) {
  let word = first_word() + v;
  let label = u32(labels[m]);
  let logits = sums + vec4f(bias[word], bias[word + 1u], bias[word + 2u], bias[word + 3u]);
  let gradients = dloss[m] * (exponentials(logits - lse[m]) - select(vec4f(), vec4f(1.0), vec4u(word) + vec4u(0u, 1u, 2u, 3u) == vec4u(label)));
  let end = select(0u, params.vocabulary, label < params.vocabulary);
  dlogits[place_of_dlogits(m, v)] = before(end, word, gradients);
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(min(ROUND, vocabulary) / TILE_COLUMNS)
// in rounds
@compute @workgroup_size(TILE_LANES)
fn gradient_of_logits(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, word_count(), params.width));
}

// part
// ---- dweight[v,e] += sum over m of dlogits[m,v] x[m,e],  dbias[v] += sum over m of dlogits[m,v]

const LEFT_ALONG_K = false;
const RIGHT_ALONG_K = false;

fn left4(v: u32, m: u32) -> vec4f {
  return select(vec4f(), dlogits[place_of_dlogits(m, v)], m < params.rows);
}

fn right4(e: u32, m: u32) -> vec4f {
  return select(vec4f(), x4(m, e), m < params.rows);
}

fn finish(v: u32, e: u32, sums: vec4f) {
  add_dweight(first_word() + v, e, sums);
}

// workgroups: ceil(min(ROUND, vocabulary) / TILE_ROWS) * ceil(width / TILE_COLUMNS)
// in rounds
@compute @workgroup_size(TILE_LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(word_count(), params.width, params.rows));
}

// workgroups: ceil(min(ROUND, vocabulary) / (4 * SUM_FOURS))
// in rounds
@compute @workgroup_size(SUM_LANES)
fn gradient_of_bias(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let v = (group_index(group, groups) * SUM_FOURS + lane % SUM_FOURS) * 4u;
  let sum = sum_of_rows(v, lane, params.rows);
  if (lane < SUM_FOURS && v < word_count()) {
    for (var i = 0u; i < min(4u, word_count() - v); i++) {
      dbias[first_word() + v + i] += sum[i];
    }
  }
}

// part
// ---- partial[g,m,e] += sum over the words v of group g of dlogits[m,v] weight[v,e],  dx[m,e] = sum over g of partial[g,m,e]

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = false;

// The group of an invocation, its first word in this round, how many there are.
var<private> own_group: u32;
var<private> own_start: u32;
var<private> own_count: u32;

fn left4(m: u32, v: u32) -> vec4f {
  return dlogits[place_of_dlogits(m, own_start + v)];
}

fn right4(e: u32, v: u32) -> vec4f {
  return select(vec4f(), weight4(first_word() + own_start + v, e), v < own_count);
}

fn finish(m: u32, e: u32, sums: vec4f) {
  let at = (own_group * params.rows + m) * params.width + e;
  set_partial(at, e, select(partial4(at), vec4f(), params.round == 0u) + sums);
}

fn group_count() -> u32 {
  return min(GROUPS, (params.vocabulary + CHUNK - 1u) / CHUNK);
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(width / TILE_COLUMNS) * min(GROUPS, ceil(vocabulary / CHUNK))
// in rounds
@compute @workgroup_size(TILE_LANES)
fn gradient_of_x(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group_index(group, groups);
  let start = index % group_count() * CHUNK;
  // in the last round there may be no word for a group
  if (start >= word_count()) {
    return;
  }
  let count = min(CHUNK, word_count() - start);
  own_group = index % group_count();
  own_start = start;
  own_count = count;
  product_tile(index / group_count(), lane, vec3u(params.rows, params.width, count));
}

// workgroups: ceil(rows * ceil(width / 4) / 64)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let fours = (params.width + 3u) / 4u;
  let index = element_index(group, groups, lane);
  let m = index / fours;
  let e = index % fours * 4u;
  if (m >= params.rows) {
    return;
  }
  var sum = vec4f();
  for (var g = 0u; g < group_count(); g++) {
    sum += partial4((g * params.rows + m) * params.width + e);
  }
  set_dx(m, e, sum);
}
