// Where the rows of a head lie for forms of attention that read four columns at once: D is a multiple of 4, and so is every
// offset. Whoever uses this declares `qkv: array<Stored>` and `CHUNKS`, chunks of four columns of a head; 64 is any number of
// them up to that.

// Chunk 0 of row n of head a: `part` is 0, 1, 2 for query, key, value.
fn qkv_at(n: u32, part: u32, a: u32) -> u32 {
  return (3u * n + part) * (params.hidden / 4u) + a * chunks();
}
fn hidden_at(n: u32, a: u32) -> u32 {
  return n * (params.hidden / 4u) + a * chunks();
}
fn chunks() -> u32 {
  if (CHUNKS > 32u) {
    return params.hidden / (4u * params.heads);
  }
  return CHUNKS;
}
fn head_size() -> f32 {
  return 4.0 * f32(chunks());
}
// Whether a head has chunk c: variants that take chunks by fours read zeros behind the last, and write nothing.
fn is_chunk(c: u32) -> bool {
  return CHUNKS <= 32u || c < chunks();
}
fn qkv4(at: u32, c: u32) -> vec4f {
  if (!is_chunk(c)) {
    return vec4f();
  }
  return loaded(qkv[at + c]);
}
