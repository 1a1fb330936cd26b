// Stands in front of every kernel: numbering of workgroups, random words, functions.
//
// A kernel is dispatched as a list of workgroups; a long list is folded into rows (groups.x wide), so the last row may
// have groups beyond the end, and every entry point checks its bounds.

const LANES = 64u;
const MAX_FLOAT = 3.4e38;

// Number of this workgroup.
fn group_index(group: vec3u, groups: vec3u) -> u32 {
  return group.x + group.y * groups.x;
}

// Number of this invocation when a workgroup has LANES of them.
fn element_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return group_index(group, groups) * LANES + lane;
}

// ---------------------------------------------------------------- random words and dropout (kernels/cpu/philox.h)

// High 32 bits of a product, by halves of 16 bits.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let p01 = a0 * b1;
  let p10 = a1 * b0;
  let middle = ((a0 * b0) >> 16u) + (p01 & 0xffffu) + (p10 & 0xffffu);
  return a1 * b1 + (p01 >> 16u) + (p10 >> 16u) + (middle >> 16u);
}

// Philox 4x32-10 (Salmon et al. 2011).
fn philox(counter: vec4u, seed: u32) -> vec4u {
  var c = counter;
  var k = vec2u(seed, 0xB10A1BE7u);
  for (var round = 0u; round < 10u; round++) {
    c = vec4u(
      multiply_high(0xCD9E8D57u, c.z) ^ c.y ^ k.x,
      0xCD9E8D57u * c.z,
      multiply_high(0xD2511F53u, c.x) ^ c.w ^ k.y,
      0xD2511F53u * c.x,
    );
    k += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

struct Site {
  p: f32,
  seed: u32,
  draw: u32,
  stream: u32,
  layer: u32,
}

// What dropout multiplies elements 4 e to 4 e + 3 of plane j with.
fn dropout_factors(site: Site, e: u32, j: u32) -> vec4f {
  if (site.p == 0.0) {
    return vec4f(1.0);
  }
  let words = philox(vec4u(e, j, (site.stream << 16u) | site.layer, site.draw), site.seed);
  return select(vec4f(), vec4f(1.0 / (1.0 - site.p)), words >= vec4u(u32(site.p * 4294967296.0)));
}

// What dropout multiplies element e of plane j with: 0 or 1 / (1 - p).
fn dropout_factor(site: Site, e: u32, j: u32) -> f32 {
  return dropout_factors(site, e / 4u, j)[e % 4u];
}

// ---------------------------------------------------------------- functions
// WGSL lets an implementation assume that there are neither NaNs nor infinities, so they are told by their bits. Values are
// selected, not branched for: neighbours rarely agree.

var<private> infinity_bits: u32 = 0x7f800000u;  // WGSL has no literal for it
var<private> nan_bits: u32 = 0x7fc00000u;

fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// NaN if either is.
fn larger(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

// 0 below -87.3, finite above 88.7, as the CPU kernels have it.
fn exponential(x: f32) -> f32 {
  return select(select(exp(min(x, 88.722)), 0.0, x < -87.33654), x, is_nan(x));
}

// -infinity of 0 and NaN below, which the built-in log leaves open.
fn logarithm(x: f32) -> f32 {
  let below = select(bitcast<f32>(nan_bits), -bitcast<f32>(infinity_bits), x == 0.0);
  return select(select(log(x), below, x <= 0.0), x, is_nan(x));
}

// The built-in tanh may overflow for large |x| and lose digits near 0.
fn tanh_safe(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  if (abs(x) < 0.25) {
    let s = x * x;
    return x * (1.0 + s * (-0.333333333 + s * (0.133333333 + s * (-0.0539682540 + s * (0.0218694885 + s * -0.0088632355)))));
  }
  let y = clamp(x, -10.0, 10.0);
  return 1.0 - 2.0 / (exp(2.0 * y) + 1.0);
}

const GELU_A = 0.7978845608028654;
const GELU_B = 0.044715 * 0.7978845608028654;

// GELU in its tanh form: x times the logistic function of 2u, which does not cancel as 1 + tanh u does.
fn gelu(x: f32) -> f32 {
  let u = x * (GELU_A + GELU_B * x * x);
  let e = exponential(-2.0 * abs(u));
  return x * select(1.0, e, u < 0.0) / (1.0 + e);
}

fn gelu_derivative(x: f32) -> f32 {
  let u = x * (GELU_A + GELU_B * x * x);
  let e = exponential(-2.0 * abs(u));
  let r = 1.0 / (1.0 + e);
  return r * (select(1.0, e, u < 0.0) + 2.0 * x * (GELU_A + 3.0 * GELU_B * x * x) * (e * r));
}

// Phi(-|x|) of the normal distribution, where e = exp(-x^2/2): kernels/cpu/simd/math.h tells how.
fn normal_tail(x: f32, e: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.35 * abs(x));
  var p = -0.02915787772;
  p = p * t + 0.144030881;
  p = p * t - 0.2558389255;
  p = p * t + 0.1593196075;
  p = p * t - 0.02321229438;
  p = p * t + 0.1055524779;
  p = p * t + 0.1198212936;
  p = p * t + 0.1398635147;
  p = p * t + 0.1396213069;
  return e * (t * p);
}

// GELU in its erf form.
fn gelu_erf(x: f32) -> f32 {
  let tail = normal_tail(x, exponential(-0.5 * x * x));
  return x * select(1.0 - tail, tail, x < 0.0);
}

fn gelu_erf_derivative(x: f32) -> f32 {
  let e = exponential(-0.5 * x * x);
  let tail = normal_tail(x, e);
  return select(1.0 - tail, tail, x < 0.0) + x * e * 0.3989422804014327;
}
