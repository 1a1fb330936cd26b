// Sum of word, segment and position embeddings, layer normalisation, dropout:
//
//   y[n] = dropout(LN(word[ids[n]] + segment[segments[n]] + position[positions[n]]) weight + bias),   y [rows, width]
//
// Work split: one workgroup is one row, in two steps so that no step binds more than eight buffers. Backward makes the
// gradient of every row's sum in dsum, gradients of weight and bias by blocks of 64 rows in `partial`; then, for each
// table, the first row of the batch that has an id adds what all rows with that id send there, in their order.
// Numerics: an id outside its table counts as the nearest one inside. Saved for backward: mean, rstd; the sum is read
// from the tables again.

const BLOCK = 64u;  // NORM_BLOCK in src/ops/layernorm.ts

fn clamp_id(id: i32, count: u32) -> u32 {
  return u32(clamp(id, 0, i32(count) - 1));
}

// ---------------------------------------------------------------- forward

// kernel embedding_forward
struct Params {
  rows: u32, width: u32, word_count: u32, segment_count: u32, position_count: u32,
  eps: f32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> segments: array<i32>;
@group(0) @binding(2) var<storage, read_write> positions: array<i32>;
@group(0) @binding(3) var<storage, read_write> word: array<f32>;
@group(0) @binding(4) var<storage, read_write> segment: array<f32>;
@group(0) @binding(5) var<storage, read_write> position: array<f32>;
@group(0) @binding(6) var<storage, read_write> weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> bias: array<f32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;
@group(0) @binding(9) var<storage, read_write> mean: array<f32>;
@group(0) @binding(10) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(11) var<uniform> params: Params;

// workgroups: ceil(rows * width / 64)
@compute @workgroup_size(LANES)
fn sum_tables(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i >= params.rows * params.width) {
    return;
  }
  let n = i / params.width;
  let h = i % params.width;
  y[i] = word[clamp_id(ids[n], params.word_count) * params.width + h] +
    segment[clamp_id(segments[n], params.segment_count) * params.width + h] +
    position[clamp_id(positions[n], params.position_count) * params.width + h];
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn normalize(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.rows) {
    return;
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let row = n * params.width;
  var total = 0.0;
  for (var h = lane; h < params.width; h += LANES) {
    total += y[row + h];
  }
  let m = group_sum(total, lane) / f32(params.width);
  total = 0.0;
  for (var h = lane; h < params.width; h += LANES) {
    let d = y[row + h] - m;
    total += d * d;
  }
  let r = 1.0 / sqrt(group_sum(total, lane) / f32(params.width) + params.eps);
  for (var h = lane; h < params.width; h += LANES) {
    y[row + h] = ((y[row + h] - m) * r * weight[h] + bias[h]) * dropout_factor(site, h, n);
  }
  if (lane == 0u) {
    mean[n] = m;
    rstd[n] = r;
  }
}

// ---------------------------------------------------------------- backward

// kernel embedding_backward
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

fn site() -> Site {
  return Site(params.p, params.seed, params.draw, params.stream, params.layer);
}

// The sums again, where their gradients will be.
// workgroups: ceil(rows * width / 64)
@compute @workgroup_size(LANES)
fn sum_tables(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i >= params.rows * params.width) {
    return;
  }
  let n = i / params.width;
  let h = i % params.width;
  dsum[i] = word[clamp_id(ids[n], params.word_count) * params.width + h] +
    segment[clamp_id(segments[n], params.segment_count) * params.width + h] +
    position[clamp_id(positions[n], params.position_count) * params.width + h];
}

// workgroups: ceil(rows / 64) * ceil(width / 64)
@compute @workgroup_size(LANES)
fn sum_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let columns = (params.width + LANES - 1u) / LANES;
  let block = group_index(group, groups) / columns;
  let h = group_index(group, groups) % columns * LANES + lane;
  if (h >= params.width || block * BLOCK >= params.rows) {
    return;
  }
  var w = 0.0;
  var b = 0.0;
  for (var n = block * BLOCK; n < min(params.rows, (block + 1u) * BLOCK); n++) {
    let d = dy[n * params.width + h] * dropout_factor(site(), h, n);
    w += d * (dsum[n * params.width + h] - mean[n]) * rstd[n];
    b += d;
  }
  partial[2u * block * params.width + h] = w;
  partial[(2u * block + 1u) * params.width + h] = b;
}

// workgroups: ceil(width / 64)
@compute @workgroup_size(LANES)
fn add_blocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let h = element_index(group, groups, lane);
  if (h >= params.width) {
    return;
  }
  var w = dweight[h];
  var b = dbias[h];
  for (var block = 0u; block * BLOCK < params.rows; block++) {
    w += partial[2u * block * params.width + h];
    b += partial[(2u * block + 1u) * params.width + h];
  }
  dweight[h] = w;
  dbias[h] = b;
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn gradient_of_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = group_index(group, groups);
  if (n >= params.rows) {
    return;
  }
  let row = n * params.width;
  var sum_g = 0.0;
  var sum_gx = 0.0;
  for (var h = lane; h < params.width; h += LANES) {
    let g = dy[row + h] * dropout_factor(site(), h, n) * weight[h];
    sum_g += g;
    sum_gx += g * (dsum[row + h] - mean[n]) * rstd[n];
  }
  let mean_g = group_sum(sum_g, lane) / f32(params.width);
  let mean_gx = group_sum(sum_gx, lane) / f32(params.width);
  for (var h = lane; h < params.width; h += LANES) {
    let g = dy[row + h] * dropout_factor(site(), h, n) * weight[h];
    let hat = (dsum[row + h] - mean[n]) * rstd[n];
    dsum[row + h] = rstd[n] * (g - mean_g - hat * mean_gx);
  }
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn scatter_word(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group_index(group, groups);
  if (first >= params.rows) {
    return;
  }
  let id = clamp_id(ids[first], params.word_count);
  for (var n = 0u; n < first; n++) {
    if (clamp_id(ids[n], params.word_count) == id) {
      return;
    }
  }
  for (var h = lane; h < params.width; h += LANES) {
    var total = dword[id * params.width + h];
    for (var n = first; n < params.rows; n++) {
      if (clamp_id(ids[n], params.word_count) == id) {
        total += dsum[n * params.width + h];
      }
    }
    dword[id * params.width + h] = total;
  }
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn scatter_segment(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group_index(group, groups);
  if (first >= params.rows) {
    return;
  }
  let id = clamp_id(segments[first], params.segment_count);
  for (var n = 0u; n < first; n++) {
    if (clamp_id(segments[n], params.segment_count) == id) {
      return;
    }
  }
  for (var h = lane; h < params.width; h += LANES) {
    var total = dsegment[id * params.width + h];
    for (var n = first; n < params.rows; n++) {
      if (clamp_id(segments[n], params.segment_count) == id) {
        total += dsum[n * params.width + h];
      }
    }
    dsegment[id * params.width + h] = total;
  }
}

// workgroups: rows
@compute @workgroup_size(LANES)
fn scatter_position(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group_index(group, groups);
  if (first >= params.rows) {
    return;
  }
  let id = clamp_id(positions[first], params.position_count);
  for (var n = 0u; n < first; n++) {
    if (clamp_id(positions[n], params.position_count) == id) {
      return;
    }
  }
  for (var h = lane; h < params.width; h += LANES) {
    var total = dposition[id * params.width + h];
    for (var n = first; n < params.rows; n++) {
      if (clamp_id(positions[n], params.position_count) == id) {
        total += dsum[n * params.width + h];
      }
    }
    dposition[id * params.width + h] = total;
  }
}
