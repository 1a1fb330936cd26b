// One AdamW step on whole arenas, in place (Loshchilov and Hutter 2019):
//
//   p -= lr ((m / correction1) / (sqrt(v / correction2) + eps) + decay p),   g = 0
//
// Work split: one workgroup is one chunk of a table [chunks, 3] of (segment, start, count). Where the norm is not finite
// only the gradients are cleared.

const DECAY = 1;  // bits of a segment's flags, graph/segments.ts
const ADAPT = 2;
const TRAINABLE = 4;

// First element of the block of the arenas that is bound: where a device holds them in several, this runs once a block, on the
// chunks that begin in it. Chunks lie in one block each.
override BLOCK_START: u32 = 0;

// ---------------------------------------------------------------- forward

// kernel adamw_forward
struct Params {
  chunk_count: u32, lr: f32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, eps: f32, decay: f32, clip: f32,
  correction1: f32, correction2: f32,
}
@group(0) @binding(0) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> moment1: array<f32>;
@group(0) @binding(3) var<storage, read_write> moment2: array<f32>;
@group(0) @binding(4) var<storage, read_write> table: array<i32>;
@group(0) @binding(5) var<storage, read_write> segments: array<i32>;
@group(0) @binding(6) var<storage, read_write> norm: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

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
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group_index(group, groups);
  if (c >= params.chunk_count) {
    return;
  }
  let flags = segments[2 * table[3u * c]];
  if ((flags & TRAINABLE) == 0) {
    return;
  }
  let decay = select(0.0, params.decay, (flags & DECAY) != 0);
  let start = u32(table[3u * c + 1u]) - BLOCK_START;
  if (start >= arrayLength(&gradients)) {
    return;
  }
  let finite = is_finite(norm[0]);
  for (var i = lane; i < u32(table[3u * c + 2u]); i += LANES) {
    let at = start + i;
    if (finite) {
      let p = parameters[at];
      parameters[at] = p - params.lr * (update_moments(at) + decay * p);
    }
    gradients[at] = 0.0;
  }
}
