// What the backward pass of linear_cross_entropy writes where the width is a multiple of four: four columns from e on of a row.
// vocabulary_gradient_words is for any width. A section that uses either declares dx, dweight and partial as arrays of `Element`.

fn add_dweight(v: u32, e: u32, sums: vec4f) {
  dweight[(v * params.width + e) / 4u] += sums;
}

// `at` is the number of a word in partial.
fn partial4(at: u32) -> vec4f {
  return partial[at / 4u];
}

fn set_partial(at: u32, e: u32, sums: vec4f) {
  partial[at / 4u] = sums;
}

fn set_dx(m: u32, e: u32, sums: vec4f) {
  dx[(m * params.width + e) / 4u] = sums;
}
