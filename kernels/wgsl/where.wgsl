// Chooses by element with broadcasting: y = cond != 0 ? a : b, each operand walked by its own four strides.
// `mask` takes the sign away from a condition that is a float.
//
// Work split: one invocation is four neighbours of y where all operands have them side by side, else one element.

// uses places

// ---------------------------------------------------------------- forward

// kernel where_forward
// when: d3 % 4 == 0 && c3 == 1 && c0 % 4 == 0 && c1 % 4 == 0 && c2 % 4 == 0 && a3 == 1 && a0 % 4 == 0 && a1 % 4 == 0 && a2 % 4 == 0 && b3 == 1 && b0 % 4 == 0 && b1 % 4 == 0 && b2 % 4 == 0
struct Params {
  d0: u32, d1: u32, d2: u32, d3: u32,
  c0: u32, c1: u32, c2: u32, c3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  mask: u32,
}
@group(0) @binding(0) var<storage, read_write> cond: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> a: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(d0 * d1 * d2 * d3 / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3 / 4u);
  let element = element_index(group, groups, lane);
  if (element >= d.x * d.y * d.z * d.w) {
    return;
  }
  let i = indices(element, d);
  let chosen = (cond[place(i, vec4u(params.c0 / 4u, params.c1 / 4u, params.c2 / 4u, 1u))] & vec4u(params.mask)) != vec4u(0u);
  y[element] = select(b[place(i, vec4u(params.b0 / 4u, params.b1 / 4u, params.b2 / 4u, 1u))], a[place(i, vec4u(params.a0 / 4u, params.a1 / 4u, params.a2 / 4u, 1u))], chosen);
}

// kernel where_forward
struct Params {
  d0: u32, d1: u32, d2: u32, d3: u32,
  c0: u32, c1: u32, c2: u32, c3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  mask: u32,
}
@group(0) @binding(0) var<storage, read_write> cond: array<u32>;
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(d0 * d1 * d2 * d3 / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3);
  let element = element_index(group, groups, lane);
  if (element >= d.x * d.y * d.z * d.w) {
    return;
  }
  let i = indices(element, d);
  if ((cond[place(i, vec4u(params.c0, params.c1, params.c2, params.c3))] & params.mask) != 0u) {
    y[element] = a[place(i, vec4u(params.a0, params.a1, params.a2, params.a3))];
  } else {
    y[element] = b[place(i, vec4u(params.b0, params.b1, params.b2, params.b3))];
  }
}
