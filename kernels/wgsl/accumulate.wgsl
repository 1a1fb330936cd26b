// y[i] += x[i]. One invocation is four elements where the number of them is a multiple of four, else one. In f16 6 bytes an
// element move, in f32 12.

// ---------------------------------------------------------------- forward

// kernel accumulate_forward
// form vec4, plain when: count % 4 == 0
// f16 vec4, halves
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
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
    y[i] = stored(loaded(y[i]) + loaded(x[i]));
  }
}

// kernel accumulate_forward
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
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
    y[i] += x[i];
  }
}
