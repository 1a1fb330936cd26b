// Sum of word, segment and position embeddings, layer normalisation, dropout:
//
//   y[n] = dropout(LN(word[ids[n]] + segment[segments[n]] + position[positions[n]]) weight + bias),   y [rows, width]
//
// Work split: one invocation sums one element of the tables, in a step of its own so that no step binds more than eight
// buffers; then shared/norm_forward.wgsl, or norm_backward.wgsl and tables.wgsl, with the orders of rows in `partial` once
// its sums have been added. An id outside its table counts as the nearest inside. Saved for backward: mean, rstd.

fn clamp_id(id: i32, count: u32) -> u32 {
  return u32(clamp(id, 0, i32(count) - 1));
}

fn norm_width() -> u32 {
  return params.width / WIDE;
}

// Element e of the sums of [rows, width].
fn summed(e: u32) -> Vec {
  let n = e / norm_width();
  let i = e % norm_width();
  return word[clamp_id(ids[n], params.word_count) * norm_width() + i] +
    segment[clamp_id(segments[n], params.segment_count) * norm_width() + i] +
    position[clamp_id(positions[n], params.position_count) * norm_width() + i];
}

// ---------------------------------------------------------------- forward

// kernel embedding_forward
// form vec4 when: width % 4 == 0
// form single
// uses norm_forward
struct Params {
  rows: u32, width: u32, word_count: u32, segment_count: u32, position_count: u32,
  eps: f32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> segments: array<i32>;
@group(0) @binding(2) var<storage, read_write> positions: array<i32>;
@group(0) @binding(3) var<storage, read_write> word: array<Vec>;
@group(0) @binding(4) var<storage, read_write> segment: array<Vec>;
@group(0) @binding(5) var<storage, read_write> position: array<Vec>;
@group(0) @binding(6) var<storage, read_write> weight: array<Vec>;
@group(0) @binding(7) var<storage, read_write> bias: array<Vec>;
@group(0) @binding(8) var<storage, read_write> y: array<Vec>;
@group(0) @binding(9) var<storage, read_write> mean: array<f32>;
@group(0) @binding(10) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(11) var<uniform> params: Params;

fn norm_input(n: u32, i: u32) -> Vec {
  return y[n * norm_width() + i];
}

fn norm_again(n: u32, i: u32) -> Vec {
  return y[n * norm_width() + i];
}

fn norm_output(n: u32, i: u32, hat: Vec) {
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  y[n * norm_width() + i] = (hat * weight[i] + bias[i]) * kept_factors(site, i, n);
}

// workgroups: ceil(rows * width / (64 * WIDE))
@compute @workgroup_size(LANES)
fn sum_tables(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = element_index(group, groups, lane);
  if (e < params.rows * norm_width()) {
    y[e] = summed(e);
  }
}

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn normalize(
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
// kernel embedding_backward
// when: width % 4 == 0
// uses vec4, norm_backward, tables
struct Params {
  rows: u32, width: u32, word_count: u32, segment_count: u32, position_count: u32,
  p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> ids: array<i32>;
@group(0) @binding(2) var<storage, read_write> segments: array<i32>;
@group(0) @binding(3) var<storage, read_write> positions: array<i32>;
@group(0) @binding(4) var<storage, read_write> word: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> segment: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> position: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> mean: array<f32>;
@group(0) @binding(9) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(10) var<storage, read_write> dword: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> dsegment: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> dposition: array<vec4f>;
@group(0) @binding(13) var<storage, read_write> dweight: array<vec4f>;
@group(0) @binding(14) var<storage, read_write> dbias: array<vec4f>;
@group(0) @binding(15) var<storage, read_write> dsum: array<vec4f>;
@group(0) @binding(16) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(17) var<uniform> params: Params;

fn norm_gradient(n: u32, i: u32) -> Vec {
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  return dy[n * norm_width() + i] * kept_factors(site, i, n);
}

fn norm_value(n: u32, i: u32) -> Vec {
  return dsum[n * norm_width() + i];
}

fn norm_weight(i: u32) -> Vec {
  return weight[i];
}

fn norm_give(n: u32, i: u32, g: Vec) {
  dsum[n * norm_width() + i] = g;
}

fn set_row_at(place: u32, n: u32) {
  partial[(place) / 4u][(place) % 4u] = f32(n);
}

fn row_at(place: u32) -> u32 {
  return u32(partial[(place) / 4u][(place) % 4u]);
}

// The sums again, where their gradients will be.
// workgroups: ceil(rows * width / 256)
@compute @workgroup_size(LANES)
fn sum_tables(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = element_index(group, groups, lane);
  if (e < params.rows * norm_width()) {
    dsum[e] = summed(e);
  }
}

// workgroups: ceil(ceil(rows / 64) * width / 256)
@compute @workgroup_size(LANES)
fn sum_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  sum_block(element_index(group, groups, lane));
}

// workgroups: ceil(ceil(rows / 1024) * width / 256)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  join_blocks(element_index(group, groups, lane));
}

// workgroups: ceil(width / 256)
@compute @workgroup_size(LANES)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  add_blocks(element_index(group, groups, lane));
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

// workgroups: ceil(3 * rows / 64)
@compute @workgroup_size(LANES)
fn order_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  order_row(element_index(group, groups, lane));
}

// workgroups: ceil(3 * rows * width / 256)
@compute @workgroup_size(LANES)
fn add_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  add_row(element_index(group, groups, lane));
}

// kernel embedding_backward
// uses single, norm_backward, tables
struct Params {
  rows: u32, width: u32, word_count: u32, segment_count: u32, position_count: u32,
  p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> ids: array<i32>;
@group(0) @binding(2) var<storage, read_write> segments: array<i32>;
@group(0) @binding(3) var<storage, read_write> positions: array<i32>;
@group(0) @binding(4) var<storage, read_write> word: array<f32>;
@group(0) @binding(5) var<storage, read_write> segment: array<f32>;
@group(0) @binding(6) var<storage, read_write> position: array<f32>;
@group(0) @binding(7) var<storage, read_write> weight: array<f32>;
@group(0) @binding(8) var<storage, read_write> mean: array<f32>;
@group(0) @binding(9) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(10) var<storage, read_write> dword: array<f32>;
@group(0) @binding(11) var<storage, read_write> dsegment: array<f32>;
@group(0) @binding(12) var<storage, read_write> dposition: array<f32>;
@group(0) @binding(13) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(14) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(15) var<storage, read_write> dsum: array<f32>;
@group(0) @binding(16) var<storage, read_write> partial: array<f32>;
@group(0) @binding(17) var<uniform> params: Params;

fn norm_gradient(n: u32, i: u32) -> Vec {
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  return dy[n * norm_width() + i] * kept_factors(site, i, n);
}

fn norm_value(n: u32, i: u32) -> Vec {
  return dsum[n * norm_width() + i];
}

fn norm_weight(i: u32) -> Vec {
  return weight[i];
}

fn norm_give(n: u32, i: u32, g: Vec) {
  dsum[n * norm_width() + i] = g;
}

fn set_row_at(place: u32, n: u32) {
  partial[place] = f32(n);
}

fn row_at(place: u32) -> u32 {
  return u32(partial[place]);
}

// The sums again, where their gradients will be.
// workgroups: ceil(rows * width / 64)
@compute @workgroup_size(LANES)
fn sum_tables(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = element_index(group, groups, lane);
  if (e < params.rows * norm_width()) {
    dsum[e] = summed(e);
  }
}

// workgroups: ceil(ceil(rows / 64) * width / 64)
@compute @workgroup_size(LANES)
fn sum_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  sum_block(element_index(group, groups, lane));
}

// workgroups: ceil(ceil(rows / 1024) * width / 64)
@compute @workgroup_size(LANES)
fn join(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  join_blocks(element_index(group, groups, lane));
}

// workgroups: ceil(width / 64)
@compute @workgroup_size(LANES)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  add_blocks(element_index(group, groups, lane));
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

// workgroups: ceil(3 * rows / 64)
@compute @workgroup_size(LANES)
fn order_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  order_row(element_index(group, groups, lane));
}

// workgroups: ceil(3 * rows * width / 64)
@compute @workgroup_size(LANES)
fn add_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  add_row(element_index(group, groups, lane));
}
