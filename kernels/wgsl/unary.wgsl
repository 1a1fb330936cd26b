// Elementwise functions: y = fn(x), and dx = dy fn'(v) where v is x or y (src/ops/unary.ts says which).
// One invocation is one element.

// Sine of x + quarter turns, to a few ulp for |x| < 8192 (Cephes sinf, cosf): the built-in one promises 11 bits.
fn sine(x: f32, quarters: i32) -> f32 {
  let k = round(x * 0.636619772);
  let r = ((x - k * 1.5703125) - k * 4.83751296997e-4) - k * 7.54978995489e-8;
  let s = r * r;
  let quadrant = (i32(k) + quarters) & 3;
  var y = r + r * s * ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1);
  if ((quadrant & 1) == 1) {
    y = 1.0 - 0.5 * s + s * s * ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2);
  }
  return select(y, -y, quadrant >= 2);
}

// x times the logistic function, as kernels/cpu/simd/math.h has it.
fn silu(x: f32) -> f32 {
  let y = max(x, -88.0);
  let e = exponential(-abs(y));
  return y * select(1.0, e, y < 0.0) / (1.0 + e);
}

fn silu_derivative(x: f32) -> f32 {
  let y = clamp(x, -88.0, 88.0);
  let e = exponential(-abs(y));
  let r = 1.0 / (1.0 + e);
  return r * (select(1.0, e, y < 0.0) + y * e * r);
}

// log(1 + x). Near 0, where the built-in log has an absolute error, 2 artanh s as a series in s = x / (2 + x).
fn log_1p(x: f32) -> f32 {
  if (x < -0.5 || x > 1.0) {
    return logarithm(1.0 + x);
  }
  let s = x / (2.0 + x);
  let q = s * s;
  var p = 1.0 / 15.0;
  p = p * q + 1.0 / 13.0;
  p = p * q + 1.0 / 11.0;
  p = p * q + 1.0 / 9.0;
  p = p * q + 1.0 / 7.0;
  p = p * q + 1.0 / 5.0;
  p = p * q + 1.0 / 3.0;
  return 2.0 * s + 2.0 * s * q * p;
}

// The order of UNARY_FUNCTIONS in src/ops/unary.ts.
fn apply(which: u32, x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  switch (which) {
    case 0u: { return -x; }
    case 1u: { return exponential(x); }
    case 2u: { return logarithm(x); }
    case 3u: { return sqrt(x); }
    case 4u: { return inverseSqrt(x); }
    case 5u: { return tanh_safe(x); }
    case 6u: { return max(x, 0.0); }
    case 7u: { return gelu(x); }
    case 8u: { return 1.0 / (1.0 + exponential(-x)); }
    case 9u: { return abs(x); }
    case 10u: { return x * x; }
    case 11u: { return 1.0 / x; }
    case 12u: { return sine(x, 0); }
    case 13u: { return sine(x, 1); }
    case 14u: { return silu(x); }
    default: { return log_1p(x); }
  }
}

fn derivative(which: u32, v: f32) -> f32 {
  switch (which) {
    case 0u: { return -1.0; }
    case 1u: { return v; }
    case 2u: { return 1.0 / v; }
    case 3u: { return 0.5 / v; }
    case 4u: { return -0.5 * v * v * v; }
    case 5u: { return 1.0 - v * v; }
    case 6u: { return select(0.0, 1.0, v > 0.0); }
    case 7u: { return gelu_derivative(v); }
    case 8u: { return v * (1.0 - v); }
    case 9u: { return sign(v); }
    case 10u: { return 2.0 * v; }
    case 11u: { return -v * v; }
    case 12u: { return sine(v, 1); }
    case 13u: { return -sine(v, 0); }
    case 14u: { return silu_derivative(v); }
    default: { return 1.0 / (1.0 + v); }
  }
}

// ---------------------------------------------------------------- forward

// kernel unary_forward
struct Params { count: u32, fn_: u32 }
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
    y[i] = apply(params.fn_, x[i]);
  }
}

// ---------------------------------------------------------------- backward

// kernel unary_backward
struct Params { count: u32, fn_: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> v: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(count / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count) {
    dx[i] = dy[i] * derivative(params.fn_, v[i]);
  }
}
