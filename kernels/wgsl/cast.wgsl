// Integers (i32) as f32, f32 as f16 and f16 as f32, rounded to the nearest; WGSL has no bf16. One invocation is four elements where
// the number of them is a multiple of four, as it is of f16, else one. f32 and f16: 6 bytes an element.

// ---------------------------------------------------------------- forward

// kernel cast_forward
// when: count % 4 == 0
struct Params { count: u32, narrow: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4i>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(count / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count / 4u) {
    y[i] = vec4f(x[i]);
  }
}

// kernel cast_forward
struct Params { count: u32, narrow: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<i32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(count / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count) {
    y[i] = f32(x[i]);
  }
}

// kernel cast_forward
// f16 vec4, halves when: narrow == 1
struct Params { count: u32, narrow: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(count / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count / 4u) {
    y[i] = stored(x[i]);
  }
}

// kernel cast_forward
// f16 vec4, halves
struct Params { count: u32, narrow: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(count / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count / 4u) {
    y[i] = loaded(x[i]);
  }
}
