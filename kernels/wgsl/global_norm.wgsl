// norm[0] = sqrt(sum of gradients[i]^2) over the chunks of a table [chunks, 3] of (segment, start, count).
//
// Work split: one workgroup is one chunk (at most 16,384 elements); one more adds the chunks. Sums are in f32, in a
// fixed order over 64 lanes. Infinite or NaN gradients, and squares that overflow, make the norm not finite.

// First element of the block of the arenas that is bound: where a device holds them in several, this runs once a block, on the
// chunks that begin in it. Chunks lie in one block each.
override BLOCK_START: u32 = 0;

// ---------------------------------------------------------------- forward

// kernel global_norm_forward
struct Params { chunk_count: u32 }
@group(0) @binding(0) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(1) var<storage, read_write> table: array<i32>;
@group(0) @binding(2) var<storage, read_write> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: chunk_count
@compute @workgroup_size(LANES)
fn sum_chunks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group_index(group, groups);
  if (c >= params.chunk_count) {
    return;
  }
  let start = u32(table[3u * c + 1u]) - BLOCK_START;
  let is_here = start < arrayLength(&gradients);
  let count = select(0u, u32(table[3u * c + 2u]), is_here);
  var sum = 0.0;
  for (var i = lane; i < count; i += LANES) {
    sum += gradients[start + i] * gradients[start + i];
  }
  sum = group_sum(sum, lane);
  if (lane == 0u && is_here) {
    partial[c] = sum;
  }
}

// workgroups: 1
@compute @workgroup_size(LANES)
fn add_chunks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  var sum = 0.0;
  for (var c = lane; c < params.chunk_count; c += LANES) {
    sum += partial[c];
  }
  sum = group_sum(sum, lane);
  if (lane == 0u) {
    norm[0] = sqrt(sum);
  }
}
