// Elementwise arithmetic of two tensors with broadcasting: y[i0,i1,i2,i3] = fn(a[sum i_k a_k], b[sum i_k b_k]).
//
// Work split: one invocation is four neighbours of y where both operands have them side by side, or b one number for them;
// else one element. In f16, whose rows are whole fours, always four, with half the bytes to move.

// uses places

// WGSL's pow knows no negative base.
fn power(a: f32, b: f32) -> f32 {
  if (b == 0.0) {
    return 1.0;
  }
  let magnitude = pow(abs(a), b);
  if (a >= 0.0) {
    return magnitude;
  }
  if (floor(b) != b) {
    return bitcast<f32>(nan_bits);
  }
  return select(magnitude, -magnitude, abs(b - 2.0 * floor(b / 2.0)) == 1.0);
}

fn are_nan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn truth(x: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(1.0), x);
}

fn arithmetic(which: u32, a: vec4f, b: vec4f) -> vec4f {
  switch (which) {
    case 0u: { return a + b; }
    case 1u: { return a - b; }
    case 2u: { return a * b; }
    case 3u: { return a / b; }
    case 4u: { return max(a, b); }
    case 5u: { return min(a, b); }
    case 6u: { return vec4f(power(a.x, b.x), power(a.y, b.y), power(a.z, b.z), power(a.w, b.w)); }
    case 7u: { return truth(a == b); }
    case 8u: { return truth(a < b); }
    default: { return truth(a <= b); }
  }
}

// The order of BINARY_FUNCTIONS in src/ops/binary.ts. A NaN compares as false and spoils all else.
fn apply(which: u32, a: vec4f, b: vec4f) -> vec4f {
  let nan = select(0.0, bitcast<f32>(nan_bits), which < 7u);
  return select(arithmetic(which, a, b), vec4f(nan), are_nan(a) | are_nan(b));
}

// ---------------------------------------------------------------- forward

// kernel binary_forward
// form vec4, plain when: d3 % 4 == 0 && a3 == 1 && a0 % 4 == 0 && a1 % 4 == 0 && a2 % 4 == 0 && b3 == 1 && b0 % 4 == 0 && b1 % 4 == 0 && b2 % 4 == 0
// f16 vec4, halves
struct Params {
  d0: u32, d1: u32, d2: u32, d3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  fn_: u32,
}
@group(0) @binding(0) var<storage, read_write> a: array<Stored>;
@group(0) @binding(1) var<storage, read_write> b: array<Stored>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
@group(0) @binding(3) var<uniform> params: Params;

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
  let of_a = loaded(a[place(i, vec4u(params.a0 / 4u, params.a1 / 4u, params.a2 / 4u, 1u))]);
  let of_b = loaded(b[place(i, vec4u(params.b0 / 4u, params.b1 / 4u, params.b2 / 4u, 1u))]);
  y[element] = stored(apply(params.fn_, of_a, of_b));
}

// kernel binary_forward
// when: d3 % 4 == 0 && b3 == 0 && a3 == 1 && a0 % 4 == 0 && a1 % 4 == 0 && a2 % 4 == 0
struct Params {
  d0: u32, d1: u32, d2: u32, d3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  fn_: u32,
}
@group(0) @binding(0) var<storage, read_write> a: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

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
  let of_a = a[place(i, vec4u(params.a0 / 4u, params.a1 / 4u, params.a2 / 4u, 1u))];
  let of_b = b[place(i, vec4u(params.b0, params.b1, params.b2, 0u))];
  y[element] = apply(params.fn_, of_a, vec4f(of_b));
}

// kernel binary_forward
struct Params {
  d0: u32, d1: u32, d2: u32, d3: u32,
  a0: u32, a1: u32, a2: u32, a3: u32,
  b0: u32, b1: u32, b2: u32, b3: u32,
  fn_: u32,
}
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

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
  let at_a = place(i, vec4u(params.a0, params.a1, params.a2, params.a3));
  let at_b = place(i, vec4u(params.b0, params.b1, params.b2, params.b3));
  y[element] = apply(params.fn_, vec4f(a[at_a]), vec4f(b[at_b])).x;
}
