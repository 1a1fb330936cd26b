// What attention backward reads and writes beside qkv, by four columns: see attention_vectors.wgsl. `dy`, `y` and `dqkv` are of
// vec4f. Delta lies in the first column of a head's dq until that is written.

fn dy4(at: u32, c: u32) -> vec4f {
  return dy[at + c];
}
fn y4(at: u32, c: u32) -> vec4f {
  return y[at + c];
}
fn put_dqkv(at: u32, c: u32, v: vec4f) {
  dqkv[at + c] = v;
}
fn delta_of(n: u32, a: u32) -> f32 {
  return dqkv[qkv_at(n, 0u, a)].x;
}
