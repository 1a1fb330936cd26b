// What attention backward reads and writes beside qkv, by four columns: see attention_vectors.wgsl. `dy`, `y` and `dqkv` are of
// `Stored`. Delta lies in the first four of a head's dq, as f32, until that is written.

fn dy4(at: u32, c: u32) -> vec4f {
  if (!is_chunk(c)) {
    return vec4f();
  }
  return loaded(dy[at + c]);
}
fn y4(at: u32, c: u32) -> vec4f {
  return loaded(y[at + c]);
}
fn put_dqkv(at: u32, c: u32, v: vec4f) {
  if (is_chunk(c)) {
    dqkv[at + c] = stored(v);
  }
}
fn set_delta(n: u32, a: u32, delta: f32) {
  dqkv[qkv_at(n, 0u, a)] = stored_number(delta);
}
fn delta_of(n: u32, a: u32) -> f32 {
  return loaded_number(dqkv[qkv_at(n, 0u, a)]);
}
