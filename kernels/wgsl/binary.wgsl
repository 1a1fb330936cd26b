// Elementwise arithmetic of two tensors with broadcasting: y[i0,i1,i2,i3] = fn(a[sum i_k a_k], b[sum i_k b_k]).
// One invocation is one element of y.

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

// The order of BINARY_FUNCTIONS in src/ops/binary.ts.
fn apply(which: u32, a: f32, b: f32) -> f32 {
  if (is_nan(a) || is_nan(b)) {
    return select(0.0, bitcast<f32>(nan_bits), which < 7u);
  }
  switch (which) {
    case 0u: { return a + b; }
    case 1u: { return a - b; }
    case 2u: { return a * b; }
    case 3u: { return a / b; }
    case 4u: { return max(a, b); }
    case 5u: { return min(a, b); }
    case 6u: { return power(a, b); }
    case 7u: { return select(0.0, 1.0, a == b); }
    case 8u: { return select(0.0, 1.0, a < b); }
    default: { return select(0.0, 1.0, a <= b); }
  }
}

// ---------------------------------------------------------------- forward

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
  let element = element_index(group, groups, lane);
  if (element >= params.d0 * params.d1 * params.d2 * params.d3) {
    return;
  }
  let line = element / params.d3;
  let i = vec4u(line / params.d2 / params.d1, line / params.d2 % params.d1, line % params.d2, element % params.d3);
  let at_a = i * vec4u(params.a0, params.a1, params.a2, params.a3);
  let at_b = i * vec4u(params.b0, params.b1, params.b2, params.b3);
  y[element] = apply(params.fn_, a[at_a.x + at_a.y + at_a.z + at_a.w], b[at_b.x + at_b.y + at_b.z + at_b.w]);
}
