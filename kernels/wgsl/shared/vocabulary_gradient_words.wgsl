// What the backward pass of linear_cross_entropy writes where the width is any: see vocabulary_gradient_fours.

fn add_dweight(v: u32, e: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.width - e); i++) {
    dweight[v * params.width + e + i] += sums[i];
  }
}

fn partial4(at: u32) -> vec4f {
  return vec4f(partial[at], partial[at + 1u], partial[at + 2u], partial[at + 3u]);
}

fn set_partial(at: u32, e: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.width - e); i++) {
    partial[at + i] = sums[i];
  }
}

fn set_dx(m: u32, e: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.width - e); i++) {
    dx[m * params.width + e + i] = sums[i];
  }
}
