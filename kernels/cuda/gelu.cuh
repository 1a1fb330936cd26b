// GELU (Hendrycks and Gimpel 2016) in its tanh and its erf form, and the derivatives: the formulae of kernels/cpu/simd/math.h.
// 0.5 (1 + tanh u) is the logistic function of 2u, and with e = exp(-2|u|) neither it nor its derivative e / (1 + e)^2
// cancels; the normal distribution's tail is e^(-x^2/2) t p(t), t = 1 / (1 + 0.35 |x|).
// `fast` (what is stored as bf16): exponential and reciprocal of the special function unit, relative error about 1e-6.
#pragma once
#include "mma.cuh"

namespace {

// The order of GELU_FORMS in src/ops/linear_gelu.ts.
enum GeluForm : uint32_t { kTanhForm, kErfForm };

// 1 / v, relative error below 2^-23.
__device__ __forceinline__ float reciprocal_fast(float v) {
#if defined(__CUDACC__)
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
#else
  return 1.0f / v;
#endif
}

template <bool fast>
__device__ __forceinline__ float gelu_exp(float v) {
  return fast ? exp2_fast(v * 1.44269504088896341f) : expf(v);
}
template <bool fast>
__device__ __forceinline__ float gelu_reciprocal(float v) {
  return fast ? reciprocal_fast(v) : 1.0f / v;
}

constexpr float kGelu1 = 0.7978845608028654f, kGelu3 = 0.044715f * 0.7978845608028654f;
constexpr float kTwiceLog2E = 2 * 1.44269504088896341f;

// The logistic function of 2 u, u = x (kGelu1 + kGelu3 x^2), by the special function unit: 5 instructions. Where the power of 2
// overflows, the reciprocal is 0.
__device__ __forceinline__ float gelu_logistic_fast(float x, float square) {
  return reciprocal_fast(1.0f + exp2_fast(-(x * fmaf(kGelu3 * kTwiceLog2E, square, kGelu1 * kTwiceLog2E))));
}

// Phi(-|x|) where e = exp(-x^2 / 2).
template <bool fast>
__device__ __forceinline__ float normal_tail(float x, float e) {
  const float t = gelu_reciprocal<fast>(fmaf(0.35f, fabsf(x), 1.0f));
  float p = -0.02915787772f;
  p = fmaf(p, t, 0.144030881f);
  p = fmaf(p, t, -0.2558389255f);
  p = fmaf(p, t, 0.1593196075f);
  p = fmaf(p, t, -0.02321229438f);
  p = fmaf(p, t, 0.1055524779f);
  p = fmaf(p, t, 0.1198212936f);
  p = fmaf(p, t, 0.1398635147f);
  p = fmaf(p, t, 0.1396213069f);
  return e * (t * p);
}

template <GeluForm form, bool fast>
__device__ __forceinline__ float gelu(float x) {
  if (form == kErfForm) {
    const float tail = normal_tail<fast>(x, gelu_exp<fast>(-0.5f * x * x));
    return x * (x < 0 ? tail : 1.0f - tail);
  }
  if (fast) return x * gelu_logistic_fast(x, x * x);
  const float u = x * fmaf(kGelu3, x * x, kGelu1);
  const float e = gelu_exp<fast>(-2.0f * fabsf(u));
  return x * (u < 0 ? e : 1.0f) * gelu_reciprocal<fast>(1.0f + e);
}

template <GeluForm form, bool fast>
__device__ __forceinline__ float gelu_derivative(float x) {
  if (form == kErfForm) {
    const float e = gelu_exp<fast>(-0.5f * x * x), tail = normal_tail<fast>(x, e);
    return fmaf(x * e, 0.3989422804014327f, x < 0 ? tail : 1.0f - tail);
  }
  const float square = x * x;
  if (fast) {
    const float s = gelu_logistic_fast(x, square);
    return fmaf(x * fmaf(6.0f * kGelu3, square, 2.0f * kGelu1), s * (1.0f - s), s);
  }
  const float u = x * fmaf(kGelu3, square, kGelu1), du = fmaf(3.0f * kGelu3, square, kGelu1);
  const float e = gelu_exp<fast>(-2.0f * fabsf(u)), r = gelu_reciprocal<fast>(1.0f + e);
  return r * fmaf(2.0f * x * du, e * r, u < 0 ? e : 1.0f);
}

}  // namespace
