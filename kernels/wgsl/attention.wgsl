// Multi-head attention over ragged sequences (Vaswani et al. 2017), softmax in one pass over the keys
// (Milakov and Gimelshein 2018; Dao 2023, "FlashAttention-2"): probabilities are never in memory.
//
//   s = q k^T / sqrt(D),  p = softmax(s),  y = drop(p) v      for every sequence b and head a
//
// causal: query i of a sequence sees keys 0 .. i.
// qkv [N,3H]: query, key and value of head a start at column a D of each third. cu_seqlens [B+1]: rows of sequence b are
// cu_seqlens[b] .. cu_seqlens[b+1] - 1; rows past the last one give zeros. Saved: lse [N,A].
//
// Work split: blocks of ROWS rows of one sequence and head (shared/attention_blocks.wgsl), against all that they see. How a
// block is computed stands in the variants of shared/attention_forward and shared/attention_backward; the forms here are heads of
// 64, 32, 128 and 16, read by four columns at once, and of any other size up to 256.
// Dropout: element = key within the sequence, plane = row * A + head.
//
// In f16 qkv, y and their gradients have 2 bytes an element instead of 4, and keys and values that are read again and again half
// the loads; lse, delta, scores, probabilities and sums are f32. Heads are whole fours then.

// ---------------------------------------------------------------- forward

// kernel attention_forward
// form vec4, plain, CHUNKS = 16u when: hidden == 64 * heads
// form vec4, plain, CHUNKS = 8u when: hidden == 32 * heads
// form vec4, plain, CHUNKS = 32u when: hidden == 128 * heads
// form vec4, plain, CHUNKS = 4u when: hidden == 16 * heads
// f16 vec4, halves, CHUNKS = 16u when: hidden == 64 * heads
// f16 vec4, halves, CHUNKS = 8u when: hidden == 32 * heads
// f16 vec4, halves, CHUNKS = 32u when: hidden == 128 * heads
// f16 vec4, halves, CHUNKS = 4u when: hidden == 16 * heads
// f16 vec4, halves, CHUNKS = 64u
// uses attention_forward, attention_vectors
struct Params {
  rows: u32, sequences: u32, heads: u32, hidden: u32, causal: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> qkv: array<Stored>;
@group(0) @binding(1) var<storage, read_write> cu_seqlens: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn put_y(at: u32, c: u32, v: vec4f) {
  if (is_chunk(c)) {
    y[at + c] = stored(v);
  }
}

// workgroups: ceil((ceil(rows / ROWS) + sequences) * heads / TASKS)
@compute @workgroup_size(GROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  attention_block(group_index(group, groups), lane);
}
// kernel attention_forward
// uses attention_forward, attention_scalars
struct Params {
  rows: u32, sequences: u32, heads: u32, hidden: u32, causal: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(1) var<storage, read_write> cu_seqlens: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
const CHUNKS = 64u;

fn put_y(at: u32, c: u32, v: vec4f) {
  let is = columns(c);
  for (var i = 0u; i < 4u; i++) {
    if (is[i]) {
      y[at + 4u * c + i] = v[i];
    }
  }
}

// workgroups: ceil((ceil(rows / ROWS) + sequences) * heads / TASKS)
@compute @workgroup_size(GROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  attention_block(group_index(group, groups), lane);
}

// ---------------------------------------------------------------- backward
// dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)
// with delta = rowsum(dy y), which is computed first, into the place of the first column of each head's dq: that is written last.

// kernel attention_backward
// form vec4, plain, CHUNKS = 16u when: hidden == 64 * heads
// form vec4, plain, CHUNKS = 8u when: hidden == 32 * heads
// form vec4, plain, CHUNKS = 32u when: hidden == 128 * heads
// form vec4, plain, CHUNKS = 4u when: hidden == 16 * heads
// f16 vec4, halves, CHUNKS = 16u when: hidden == 64 * heads
// f16 vec4, halves, CHUNKS = 8u when: hidden == 32 * heads
// f16 vec4, halves, CHUNKS = 32u when: hidden == 128 * heads
// f16 vec4, halves, CHUNKS = 4u when: hidden == 16 * heads
// f16 vec4, halves, CHUNKS = 64u
// uses attention_backward, attention_vectors, attention_gradient_vectors
struct Params {
  rows: u32, sequences: u32, heads: u32, hidden: u32, causal: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> qkv: array<Stored>;
@group(0) @binding(2) var<storage, read_write> cu_seqlens: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<Stored>;
@group(0) @binding(6) var<uniform> params: Params;

// workgroups: ceil(rows * heads / 64)
@compute @workgroup_size(LANES)
fn deltas(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  put_delta(element_index(group, groups, lane));
}

// workgroups: ceil((ceil(rows / ROWS) + sequences) * heads / TASKS)
@compute @workgroup_size(GROUP)
fn gradient_of_keys_and_values(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  key_block(group_index(group, groups), lane);
}

// workgroups: ceil((ceil(rows / ROWS) + sequences) * heads / TASKS)
@compute @workgroup_size(GROUP)
fn gradient_of_queries(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  query_block(group_index(group, groups), lane);
}
// kernel attention_backward
// uses attention_backward, attention_scalars, attention_gradient_scalars
struct Params {
  rows: u32, sequences: u32, heads: u32, hidden: u32, causal: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32,
}
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> cu_seqlens: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
const CHUNKS = 64u;

// workgroups: ceil(rows * heads / 64)
@compute @workgroup_size(LANES)
fn deltas(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  put_delta(element_index(group, groups, lane));
}

// workgroups: ceil((ceil(rows / ROWS) + sequences) * heads / TASKS)
@compute @workgroup_size(GROUP)
fn gradient_of_keys_and_values(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  key_block(group_index(group, groups), lane);
}

// workgroups: ceil((ceil(rows / ROWS) + sequences) * heads / TASKS)
@compute @workgroup_size(GROUP)
fn gradient_of_queries(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  query_block(group_index(group, groups), lane);
}
