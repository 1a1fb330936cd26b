// Where the rows of a head lie for the form of attention that takes any head size up to 256: chunks of four columns are put
// together from single ones, with zeros past the last. Whoever uses this declares `qkv: array<f32>`.

// Column 0 of row n of head a: `part` is 0, 1, 2 for query, key, value.
fn qkv_at(n: u32, part: u32, a: u32) -> u32 {
  return (3u * n + part) * params.hidden + a * (params.hidden / params.heads);
}
fn hidden_at(n: u32, a: u32) -> u32 {
  return n * params.hidden + a * (params.hidden / params.heads);
}
fn chunks() -> u32 {
  return (params.hidden / params.heads + 3u) / 4u;
}
fn head_size() -> f32 {
  return f32(params.hidden / params.heads);
}
// Which columns of chunk c there are.
fn columns(c: u32) -> vec4<bool> {
  return 4u * c + vec4u(0u, 1u, 2u, 3u) < vec4u(params.hidden / params.heads);
}
fn qkv4(at: u32, c: u32) -> vec4f {
  let is = columns(c);
  var x = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (is[i]) {
      x[i] = qkv[at + 4u * c + i];
    }
  }
  return x;
}
