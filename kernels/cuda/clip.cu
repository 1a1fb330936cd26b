// y = x held within [low, high]; dx = dy where low <= x <= high, else 0. A NaN stays one and gets no gradient.
// Four elements a thread (elementwise.cuh). The floor is 8 bytes an element, backward 12.
#include "elementwise.cuh"

namespace {

__device__ __forceinline__ float hold(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
__device__ __forceinline__ float pass(float dy, float x, float low, float high) { return x >= low && x <= high ? dy : 0.f; }

// ---------------------------------------------------------------- forward

template <bool kWide>
__global__ void __launch_bounds__(kElementwise)
clip_kernel(const float* x, float* y, Param<uint32_t> count, Param<float> low, Param<float> high) {
  const float lo = low(), hi = high();
  each_element<kWide>(
      count(),
      [&](uint32_t i) {
        const float4 v = load4(x + i);
        store4(y + i, make_float4(hold(v.x, lo, hi), hold(v.y, lo, hi), hold(v.z, lo, hi), hold(v.w, lo, hi)));
      },
      [&](uint32_t i) { y[i] = hold(x[i], lo, hi); });
}

void clip_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> count, Param<float> low,
                  Param<float> high) {
  const auto kernel = is_wide(x.data) && is_wide(y.data) ? clip_kernel<true> : clip_kernel<false>;
  launch(kernel, element_blocks(launch, y.size), kElementwise, 0, x.data, y.data, count, low, high);
}

// ---------------------------------------------------------------- backward

template <bool kWide>
__global__ void __launch_bounds__(kElementwise)
clip_gradient_kernel(const float* dy, const float* x, float* dx, Param<uint32_t> count, Param<float> low, Param<float> high) {
  const float lo = low(), hi = high();
  each_element<kWide>(
      count(),
      [&](uint32_t i) {
        const float4 d = load4(dy + i), v = load4(x + i);
        store4(dx + i,
               make_float4(pass(d.x, v.x, lo, hi), pass(d.y, v.y, lo, hi), pass(d.z, v.z, lo, hi), pass(d.w, v.w, lo, hi)));
      },
      [&](uint32_t i) { dx[i] = pass(dy[i], x[i], lo, hi); });
}

void clip_backward(Launch& launch, Buffer<const float> dy, Buffer<const float> x, Buffer<float> dx, Param<uint32_t> count,
                   Param<float> low, Param<float> high) {
  const bool wide = is_wide(dy.data) && is_wide(x.data) && is_wide(dx.data);
  const auto kernel = wide ? clip_gradient_kernel<true> : clip_gradient_kernel<false>;
  launch(kernel, element_blocks(launch, dx.size), kElementwise, 0, dy.data, x.data, dx.data, count, low, high);
}

}  // namespace

EXPORT_KERNELS(clip, KERNEL(clip_forward), KERNEL(clip_backward))
