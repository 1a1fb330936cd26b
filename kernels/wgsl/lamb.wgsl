// One LAMB step on whole arenas, in place (You et al. 2020):
//
//   u = direction(m, v) + decay p,   p -= lr ratio u,   ratio = |p| / |u| per segment, 1 where one of them is 0,   g = 0
//
// Work split: one workgroup is one chunk of a table [chunks, 3] of (segment, start, count). The first entry point updates
// the moments, leaves u where g was and |p|^2, |u|^2 of the chunk in `partial` [chunks, 4]; then one workgroup a segment
// adds its chunks and puts the ratio beside the first; the last entry point applies it. Sums are in f32. Where the norm
// is not finite only the gradients are cleared.
// Bytes: p, g, m, v in and m, v, u out, then p, u in and p, g out: eleven times the parameters, the least for two passes,
// as u is read and written where it would else be made again of m, v and p.

// uses moments, reduce

// ---------------------------------------------------------------- forward

// kernel lamb_forward
struct Params {
  chunk_count: u32, segment_count: u32, lr: f32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, eps: f32, decay: f32, clip: f32,
  unscale: f32, correction1: f32, correction2: f32,
}
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> moment1: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> moment2: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> table: array<i32>;
@group(0) @binding(5) var<storage, read_write> segments: array<i32>;
@group(0) @binding(6) var<storage, read_write> norm: array<f32>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

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
  let chunk = chunk_of(c);
  let flags = segments[2u * chunk.segment];
  let rates = rates_of(flags);
  var square_p = vec4f();
  var square_u = vec4f();
  if ((flags & TRAINABLE) != 0 && is_finite(norm[0])) {
    for (var i = chunk.first + lane; i < chunk.last; i += LANES) {
      let step = step_of(i, rates);
      moment1[i] = step.m;
      moment2[i] = step.v;
      gradients[i] = step.u;
      square_p += step.p * step.p;
      square_u += step.u * step.u;
    }
    for (var k = lane; k < edges(chunk); k += LANES) {
      let e = edge(chunk, k);
      let step = step_of(e / 4u, rates);
      let j = e % 4u;
      moment1[e / 4u][j] = step.m[j];
      moment2[e / 4u][j] = step.v[j];
      gradients[e / 4u][j] = step.u[j];
      square_p.x += step.p[j] * step.p[j];
      square_u.x += step.u[j] * step.u[j];
    }
  }
  let ones = vec4f(1.0);
  let squares = group_sums(vec2f(dot(square_p, ones), dot(square_u, ones)), lane);
  if (lane == 0u && chunk.is_here) {
    partial[4u * c] = squares.x;
    partial[4u * c + 1u] = squares.y;
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
  var squares = vec2f();
  for (var c = begin + lane; c < end; c += LANES) {
    squares += vec2f(partial[4u * c], partial[4u * c + 1u]);
  }
  squares = group_sums(squares, lane);
  if (lane == 0u && begin < end) {
    let adapts = (segments[2u * s] & ADAPT) != 0 && squares.x > 0.0 && squares.y > 0.0;
    partial[4u * begin + 2u] = select(1.0, sqrt(squares.x) / sqrt(squares.y), adapts);
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
  let chunk = chunk_of(c);
  if ((segments[2u * chunk.segment] & TRAINABLE) == 0) {
    return;
  }
  let step = params.lr * partial[4 * segments[2u * chunk.segment + 1u] + 2];
  let finite = is_finite(norm[0]);
  for (var i = chunk.first + lane; i < chunk.last; i += LANES) {
    if (finite) {
      parameters[i] -= step * gradients[i];
    }
    gradients[i] = vec4f();
  }
  for (var k = lane; k < edges(chunk); k += LANES) {
    let e = edge(chunk, k);
    if (finite) {
      parameters[e / 4u][e % 4u] -= step * gradients[e / 4u][e % 4u];
    }
    gradients[e / 4u][e % 4u] = 0.0;
  }
}
