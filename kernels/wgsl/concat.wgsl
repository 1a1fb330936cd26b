// Two tensors one after the other along an axis: y [outer, a_size + b_size] from a [outer, a_size], b [outer, b_size].
// One invocation is one element of y, as a word: integers are joined too.

// ---------------------------------------------------------------- forward

// kernel concat_forward
struct Params { outer: u32, a_size: u32, b_size: u32 }
@group(0) @binding(0) var<storage, read_write> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(outer * (a_size + b_size) / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  let size = params.a_size + params.b_size;
  if (i >= params.outer * size) {
    return;
  }
  let o = i / size;
  let k = i % size;
  if (k < params.a_size) {
    y[i] = a[o * params.a_size + k];
  } else {
    y[i] = b[o * params.b_size + k - params.a_size];
  }
}
