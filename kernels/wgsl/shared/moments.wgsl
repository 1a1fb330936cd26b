// What optimizers share: flags of segments, and the moments of four elements of the arenas with the direction of their step,
//
//   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2,   u = (m / correction1) / (sqrt(v / correction2) + eps) + decay p
//
// g scaled by min(1, clip / norm) first. A section declares the buffers and parameters of src/ops/lamb.ts.
// uses chunk

const DECAY = 1;  // bits of a segment's flags, graph/segments.ts
const ADAPT = 2;
const TRAINABLE = 4;

struct Step {
  p: vec4f,
  m: vec4f,
  v: vec4f,
  u: vec4f,
}

fn step_of(i: u32, flags: i32) -> Step {
  let factor = select(1.0, params.clip / norm[0], params.clip > 0.0 && norm[0] > params.clip);
  let decay = select(0.0, params.decay, (flags & DECAY) != 0);
  let p = parameters[i];
  let g = gradients[i] * factor;
  let m = params.beta1 * moment1[i] + params.rest1 * g;
  let v = params.beta2 * moment2[i] + params.rest2 * g * g;
  return Step(p, m, v, m / params.correction1 / (sqrt(v / params.correction2) + params.eps) + decay * p);
}
