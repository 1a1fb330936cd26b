// What attention backward reads and writes beside qkv, for heads of any size: see attention_scalars.wgsl. `dy`, `y` and `dqkv`
// are of f32. Delta lies in the first column of a head's dq until that is written.

fn dy4(at: u32, c: u32) -> vec4f {
  let is = columns(c);
  var x = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (is[i]) {
      x[i] = dy[at + 4u * c + i];
    }
  }
  return x;
}
fn y4(at: u32, c: u32) -> vec4f {
  let is = columns(c);
  var x = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (is[i]) {
      x[i] = y[at + 4u * c + i];
    }
  }
  return x;
}
fn put_dqkv(at: u32, c: u32, v: vec4f) {
  let is = columns(c);
  for (var i = 0u; i < 4u; i++) {
    if (is[i]) {
      dqkv[at + 4u * c + i] = v[i];
    }
  }
}
fn set_delta(n: u32, a: u32, delta: f32) {
  dqkv[qkv_at(n, 0u, a)] = delta;
}
fn delta_of(n: u32, a: u32) -> f32 {
  return dqkv[qkv_at(n, 0u, a)];
}
