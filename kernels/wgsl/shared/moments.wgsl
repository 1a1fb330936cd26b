// What optimizers share: flags of segments, and the moments of four elements of the arenas with the direction of their step,
//
//   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2,   u = (m / correction1) / (sqrt(v / correction2) + eps) + decay p
//
// g the gradient times unscale (1 / loss scale) times min(1, clip / norm), one factor. A section declares the buffers and
// parameters of src/ops/lamb.ts.
// uses chunk

const DECAY = 1;  // bits of a segment's flags, graph/segments.ts
const ADAPT = 2;
const TRAINABLE = 4;

// What is the same for all elements of a segment: read once, since kernels write to memory in between.
struct Rates {
  factor: f32,
  decay: f32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  correction1: f32,
  correction2: f32,
  eps: f32,
}

fn rates_of(flags: i32) -> Rates {
  let factor = select(1.0, params.clip / norm[0], params.clip > 0.0 && norm[0] > params.clip) * params.unscale;
  let decay = select(0.0, params.decay, (flags & DECAY) != 0);
  return Rates(
    factor, decay, params.beta1, params.beta2, params.rest1, params.rest2, params.correction1, params.correction2, params.eps,
  );
}

struct Step {
  p: vec4f,
  m: vec4f,
  v: vec4f,
  u: vec4f,
}

fn step_of(i: u32, rates: Rates) -> Step {
  let p = parameters[i];
  let g = gradients[i] * rates.factor;
  let m = rates.beta1 * moment1[i] + rates.rest1 * g;
  let v = rates.beta2 * moment2[i] + rates.rest2 * g * g;
  return Step(p, m, v, m / rates.correction1 / (sqrt(v / rates.correction2) + rates.eps) + rates.decay * p);
}
