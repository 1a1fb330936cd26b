// norm[0] = sqrt(sum of (unscale gradients[i])^2) over the chunks of a table [chunks, 3] of (segment, start, count).
//
// Work split: one workgroup is one chunk (at most 16,384 elements); one more adds the chunks. Sums are in f32, in a
// fixed order over 64 lanes. Infinite or NaN gradients, and squares that overflow, make the norm not finite.
// Bytes: one read of the gradients.

// uses chunk, reduce

// ---------------------------------------------------------------- forward

// kernel global_norm_forward
struct Params { chunk_count: u32, unscale: f32 }
@group(0) @binding(0) var<storage, read_write> gradients: array<vec4f>;
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
  let chunk = chunk_of(c);
  let unscale = params.unscale;
  var squares = vec4f();
  for (var i = chunk.first + lane; i < chunk.last; i += LANES) {
    let g = gradients[i] * unscale;
    squares += g * g;
  }
  for (var k = lane; k < edges(chunk); k += LANES) {
    let e = edge(chunk, k);
    let g = gradients[e / 4u][e % 4u] * unscale;
    squares.x += g * g;
  }
  let sum = group_sum((squares.x + squares.y) + (squares.z + squares.w), lane);
  if (lane == 0u && chunk.is_here) {
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
