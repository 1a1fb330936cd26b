// Elementwise functions: y = fn(x), and dx = dy fn'(v) where v is x or y (src/ops/unary.ts says which).
//
// Work split: four elements a thread (elementwise.cuh), a kernel for each function, so that none pays for the registers of
// another (sin and cos alone have a stack frame, for angles above 105,615).
// Numerics: the accurate forms of CUDA's library; gelu, sigmoid and silu do not cancel on either side, as on the CPU.
// The floor is 8 bytes an element, backward 12.
#include <utility>

#include "elementwise.cuh"
#include "gelu.cuh"

namespace {

// The order of UNARY_FUNCTIONS in src/ops/unary.ts.
enum Function : uint32_t {
  kNeg, kExp, kLog, kSqrt, kRsqrt, kTanh, kRelu, kGelu, kSigmoid, kAbs, kSquare, kReciprocal, kSin, kCos, kSilu, kLog1p, kFunctions
};

// x times the logistic function (kernels/cpu/simd/math.h); held within 88, where infinities would give 0 times infinity.
__device__ __forceinline__ float silu(float x) {
  const float y = x < -88.f ? -88.f : x, e = expf(-fabsf(y));
  return y * (y < 0.f ? e : 1.f) / (1.f + e);
}
__device__ __forceinline__ float silu_derivative(float x) {
  const float y = x < -88.f ? -88.f : x > 88.f ? 88.f : x, e = expf(-fabsf(y)), r = 1.f / (1.f + e);
  return r * fmaf(y, e * r, y < 0.f ? e : 1.f);
}

template <uint32_t fn>
__device__ __forceinline__ float apply(float x) {
  switch (fn) {
    case kNeg: return -x;
    case kExp: return expf(x);
    case kLog: return logf(x);
    case kSqrt: return sqrtf(x);
    case kRsqrt: return 1.f / sqrtf(x);
    case kTanh: return tanhf(x);
    case kRelu: return x < 0.f ? 0.f : x;
    case kGelu: return gelu<kTanhForm, false>(x);
    case kSigmoid: return 1.f / (1.f + expf(-x));
    case kAbs: return fabsf(x);
    case kSquare: return x * x;
    case kReciprocal: return 1.f / x;
    case kSin: return sinf(x);
    case kCos: return cosf(x);
    case kSilu: return silu(x);
    default: return log1pf(x);
  }
}

template <uint32_t fn>
__device__ __forceinline__ float gradient(float d, float v) {
  switch (fn) {
    case kNeg: return -d;
    case kExp: return d * v;
    case kLog: return d / v;
    case kSqrt: return 0.5f * d / v;
    case kRsqrt: return -0.5f * d * v * v * v;
    case kTanh: return d * (1.f - v * v);
    case kRelu: return v > 0.f ? d : 0.f;
    case kGelu: return d * gelu_derivative<kTanhForm, false>(v);
    case kSigmoid: return d * v * (1.f - v);
    case kAbs: return v > 0.f ? d : v < 0.f ? -d : 0.f;
    case kSquare: return d * (v + v);
    case kReciprocal: return -d * v * v;
    case kSin: return d * cosf(v);
    case kCos: return d * -sinf(v);
    case kSilu: return d * silu_derivative(v);
    default: return d / (1.f + v);
  }
}

// ---------------------------------------------------------------- forward

template <uint32_t fn, bool kWide>
__global__ void __launch_bounds__(kElementwise) unary_kernel(const float* x, float* y, Param<uint32_t> count) {
  each_element<kWide>(
      count(),
      [&](uint32_t i) {
        const float4 v = load4(x + i);
        store4(y + i, make_float4(apply<fn>(v.x), apply<fn>(v.y), apply<fn>(v.z), apply<fn>(v.w)));
      },
      [&](uint32_t i) { y[i] = apply<fn>(x[i]); });
}

using Forward = void (*)(const float*, float*, Param<uint32_t>);
template <bool kWide, uint32_t... fn>
Forward forward_kernel(uint32_t which, std::integer_sequence<uint32_t, fn...>) {
  const Forward kernels[] = {unary_kernel<fn, kWide>...};
  return kernels[which];
}

void unary_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> count, Param<uint32_t> fn) {
  constexpr std::make_integer_sequence<uint32_t, kFunctions> all;
  const auto kernel = is_wide(x.data) && is_wide(y.data) ? forward_kernel<true>(fn.most, all) : forward_kernel<false>(fn.most, all);
  launch(kernel, element_blocks(launch, y.size), kElementwise, 0, x.data, y.data, count);
}

// ---------------------------------------------------------------- backward

template <uint32_t fn, bool kWide>
__global__ void __launch_bounds__(kElementwise)
unary_gradient_kernel(const float* dy, const float* v, float* dx, Param<uint32_t> count) {
  each_element<kWide>(
      count(),
      [&](uint32_t i) {
        const float4 d = load4(dy + i), a = load4(v + i);
        store4(dx + i, make_float4(gradient<fn>(d.x, a.x), gradient<fn>(d.y, a.y), gradient<fn>(d.z, a.z), gradient<fn>(d.w, a.w)));
      },
      [&](uint32_t i) { dx[i] = gradient<fn>(dy[i], v[i]); });
}

using Backward = void (*)(const float*, const float*, float*, Param<uint32_t>);
template <bool kWide, uint32_t... fn>
Backward backward_kernel(uint32_t which, std::integer_sequence<uint32_t, fn...>) {
  const Backward kernels[] = {unary_gradient_kernel<fn, kWide>...};
  return kernels[which];
}

void unary_backward(Launch& launch, Buffer<const float> dy, Buffer<const float> v, Buffer<float> dx, Param<uint32_t> count,
                    Param<uint32_t> fn) {
  constexpr std::make_integer_sequence<uint32_t, kFunctions> all;
  const bool wide = is_wide(dy.data) && is_wide(v.data) && is_wide(dx.data);
  const auto kernel = wide ? backward_kernel<true>(fn.most, all) : backward_kernel<false>(fn.most, all);
  launch(kernel, element_blocks(launch, dx.size), kElementwise, 0, dy.data, v.data, dx.data, count);
}

}  // namespace

EXPORT_KERNELS(unary, KERNEL(unary_forward), KERNEL(unary_backward))
