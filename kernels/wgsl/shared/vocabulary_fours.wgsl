// Operands of linear_cross_entropy whose width is a multiple of four; vocabulary_words is for any. A section that uses either
// declares x and weight as arrays of `Element`.

alias Element = vec4f;

// Columns e to e + 3; zero at `width` and behind, where e may not be.
fn x4(m: u32, e: u32) -> vec4f {
  return x[(m * params.width + e) / 4u];
}

fn weight4(v: u32, e: u32) -> vec4f {
  return weight[(v * params.width + e) / 4u];
}
