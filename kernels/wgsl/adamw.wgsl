// One AdamW step on whole arenas, in place (Loshchilov and Hutter 2019):
//
//   p -= lr ((m / correction1) / (sqrt(v / correction2) + eps) + decay p),   g = 0
//
// Work split: one workgroup is one chunk of a table [chunks, 3] of (segment, start, count). Where the norm is not finite
// only the gradients are cleared. Bytes: p, g, m, v in and out, the least.

// uses moments

// ---------------------------------------------------------------- forward

// kernel adamw_forward
struct Params {
  chunk_count: u32, lr: f32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, eps: f32, decay: f32, clip: f32,
  unscale: f32, correction1: f32, correction2: f32,
}
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> moment1: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> moment2: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> table: array<i32>;
@group(0) @binding(5) var<storage, read_write> segments: array<i32>;
@group(0) @binding(6) var<storage, read_write> norm: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

// workgroups: chunk_count
@compute @workgroup_size(LANES)
fn main(
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
  if ((flags & TRAINABLE) == 0) {
    return;
  }
  let rates = rates_of(flags);
  let lr = params.lr;
  let finite = is_finite(norm[0]);
  for (var i = chunk.first + lane; i < chunk.last; i += LANES) {
    if (finite) {
      let step = step_of(i, rates);
      moment1[i] = step.m;
      moment2[i] = step.v;
      parameters[i] = step.p - lr * step.u;
    }
    gradients[i] = vec4f();
  }
  for (var k = lane; k < edges(chunk); k += LANES) {
    let e = edge(chunk, k);
    let j = e % 4u;
    if (finite) {
      let step = step_of(e / 4u, rates);
      moment1[e / 4u][j] = step.m[j];
      moment2[e / 4u][j] = step.v[j];
      parameters[e / 4u][j] = step.p[j] - lr * step.u[j];
    }
    gradients[e / 4u][j] = 0.0;
  }
}
