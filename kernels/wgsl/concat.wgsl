// Two tensors one after the other along an axis: y [outer, a_size + b_size] from a [outer, a_size], b [outer, b_size].
// One invocation is four words of y where both sizes are multiples of four, else one: integers are joined too.

// ---------------------------------------------------------------- forward

// kernel concat_forward
// when: a_size % 4 == 0 && b_size % 4 == 0
struct Params { outer: u32, a_size: u32, b_size: u32 }
@group(0) @binding(0) var<storage, read_write> a: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> b: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4u>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(outer * (a_size + b_size) / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  let a_size = params.a_size / 4u;
  let b_size = params.b_size / 4u;
  let o = i / (a_size + b_size);
  if (o >= params.outer) {
    return;
  }
  let k = i - o * (a_size + b_size);
  if (k < a_size) {
    y[i] = a[o * a_size + k];
  } else {
    y[i] = b[o * b_size + k - a_size];
  }
}

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
  let a_size = params.a_size;
  let b_size = params.b_size;
  let o = i / (a_size + b_size);
  if (o >= params.outer) {
    return;
  }
  let k = i - o * (a_size + b_size);
  if (k < a_size) {
    y[i] = a[o * a_size + k];
  } else {
    y[i] = b[o * b_size + k - a_size];
  }
}
