// Where the rows of a head lie for forms of attention that read four columns at once: D is a multiple of 4, and so is every
// offset. Whoever uses this declares `qkv: array<vec4f>` and `CHUNKS`, chunks of four columns of a head.

// Chunk 0 of row n of head a: `part` is 0, 1, 2 for query, key, value.
fn qkv_at(n: u32, part: u32, a: u32) -> u32 {
  return (3u * n + part) * (params.hidden / 4u) + a * CHUNKS;
}
fn hidden_at(n: u32, a: u32) -> u32 {
  return n * (params.hidden / 4u) + a * CHUNKS;
}
fn chunks() -> u32 {
  return CHUNKS;
}
fn head_size() -> f32 {
  return 4.0 * f32(CHUNKS);
}
fn qkv4(at: u32, c: u32) -> vec4f {
  return qkv[at + c];
}
