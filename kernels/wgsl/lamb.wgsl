// One LAMB step on whole arenas, in place (You et al. 2020):
//
//   u = direction(m, v) + decay p,   p -= lr ratio u,   ratio = |p| / |u| per segment, 1 where one of them is 0,   g = 0
//
// Work split: one workgroup is one chunk of a table [chunks, 3] of (segment, start, count). The first entry point updates
// the moments, leaves u where g was and |p|^2, |u|^2 of the chunk in `partial` [chunks, 4]; then one workgroup a segment
// adds its chunks and puts the ratio beside the first; the last entry point applies it. Sums are in f32. Where the norm
// is not finite only the gradients are cleared.

const DECAY = 1;  // bits of a segment's flags, graph/segments.ts
const ADAPT = 2;
const TRAINABLE = 4;

// First element of the block of the arenas that is bound: where a device holds them in several, this runs once a block, on the
// chunks that begin in it. Chunks lie in one block each.
override BLOCK_START: u32 = 0;

// ---------------------------------------------------------------- forward

// kernel lamb_forward
struct Params {
  chunk_count: u32, segment_count: u32, lr: f32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, eps: f32, decay: f32, clip: f32,
  correction1: f32, correction2: f32,
}
@group(0) @binding(0) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> moment1: array<f32>;
@group(0) @binding(3) var<storage, read_write> moment2: array<f32>;
@group(0) @binding(4) var<storage, read_write> table: array<i32>;
@group(0) @binding(5) var<storage, read_write> segments: array<i32>;
@group(0) @binding(6) var<storage, read_write> norm: array<f32>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

// Updates the moments of one element and returns the direction of the step, without decay.
fn update_moments(at: u32) -> f32 {
  let factor = select(1.0, params.clip / norm[0], params.clip > 0.0 && norm[0] > params.clip);
  let g = gradients[at] * factor;
  let m = params.beta1 * moment1[at] + params.rest1 * g;
  let v = params.beta2 * moment2[at] + params.rest2 * g * g;
  moment1[at] = m;
  moment2[at] = v;
  return m / params.correction1 / (sqrt(v / params.correction2) + params.eps);
}

// workgroups: chunk_count
@compute @workgroup_size(LANES)
fn directions(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group_index(group, groups);
  if (c >= params.chunk_count) {
    return;
  }
  let flags = segments[2 * table[3u * c]];
  let decay = select(0.0, params.decay, (flags & DECAY) != 0);
  let start = u32(table[3u * c + 1u]) - BLOCK_START;
  let is_here = start < arrayLength(&gradients);
  let changes = is_here && (flags & TRAINABLE) != 0 && is_finite(norm[0]);
  let count = select(0u, u32(table[3u * c + 2u]), changes);
  var square_p = 0.0;
  var square_u = 0.0;
  for (var i = lane; i < count; i += LANES) {
    let p = parameters[start + i];
    let u = update_moments(start + i) + decay * p;
    gradients[start + i] = u;
    square_p += p * p;
    square_u += u * u;
  }
  square_p = group_sum(square_p, lane);
  square_u = group_sum(square_u, lane);
  if (lane == 0u && is_here) {
    partial[4u * c] = square_p;
    partial[4u * c + 1u] = square_u;
  }
}

// workgroups: segment_count
@compute @workgroup_size(LANES)
fn ratios(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let s = group_index(group, groups);
  if (s >= params.segment_count) {
    return;
  }
  let begin = u32(segments[2u * s + 1u]);
  var end = params.chunk_count;
  if (s + 1u < params.segment_count) {
    end = u32(segments[2u * s + 3u]);
  }
  var square_p = 0.0;
  var square_u = 0.0;
  for (var c = begin + lane; c < end; c += LANES) {
    square_p += partial[4u * c];
    square_u += partial[4u * c + 1u];
  }
  square_p = group_sum(square_p, lane);
  square_u = group_sum(square_u, lane);
  if (lane == 0u && begin < end) {
    let adapts = (segments[2u * s] & ADAPT) != 0 && square_p > 0.0 && square_u > 0.0;
    partial[4u * begin + 2u] = select(1.0, sqrt(square_p) / sqrt(square_u), adapts);
  }
}

// workgroups: chunk_count
@compute @workgroup_size(LANES)
fn apply_directions(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group_index(group, groups);
  if (c >= params.chunk_count) {
    return;
  }
  let segment = table[3u * c];
  if ((segments[2 * segment] & TRAINABLE) == 0) {
    return;
  }
  let step = params.lr * partial[4 * segments[2 * segment + 1] + 2];
  let start = u32(table[3u * c + 1u]) - BLOCK_START;
  if (start >= arrayLength(&gradients)) {
    return;
  }
  let finite = is_finite(norm[0]);
  for (var i = lane; i < u32(table[3u * c + 2u]); i += LANES) {
    if (finite) {
      parameters[start + i] -= step * gradients[start + i];
    }
    gradients[start + i] = 0.0;
  }
}
