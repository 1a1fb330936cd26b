// Operands of linear_cross_entropy of any width: see vocabulary_fours.

alias Element = f32;

fn x4(m: u32, e: u32) -> vec4f {
  let at = m * params.width + e;
  return before(params.width, e, vec4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]));
}

fn weight4(v: u32, e: u32) -> vec4f {
  let at = v * params.width + e;
  return before(params.width, e, vec4f(weight[at], weight[at + 1u], weight[at + 2u], weight[at + 3u]));
}
