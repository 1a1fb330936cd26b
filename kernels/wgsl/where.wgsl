// Chooses by element with broadcasting: y = cond != 0 ? a : b, each operand walked by its own four strides.
// One invocation is one element of y. `mask` takes the sign away from a condition that is a float.

// ---------------------------------------------------------------- forward

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
  let element = element_index(group, groups, lane);
  if (element >= params.d0 * params.d1 * params.d2 * params.d3) {
    return;
  }
  let line = element / params.d3;
  let i = vec4u(line / params.d2 / params.d1, line / params.d2 % params.d1, line % params.d2, element % params.d3);
  let at_c = i * vec4u(params.c0, params.c1, params.c2, params.c3);
  let at_a = i * vec4u(params.a0, params.a1, params.a2, params.a3);
  let at_b = i * vec4u(params.b0, params.b1, params.b2, params.b3);
  if ((cond[at_c.x + at_c.y + at_c.z + at_c.w] & params.mask) != 0u) {
    y[element] = a[at_a.x + at_a.y + at_a.z + at_a.w];
  } else {
    y[element] = b[at_b.x + at_b.y + at_b.z + at_b.w];
  }
}
