// y[i] += x[i]. Four elements a thread (elementwise.cuh); sums are f32, rounded once where they are stored as bf16.
#include "elementwise.cuh"

namespace {

template <class T, bool kWide>
__global__ void __launch_bounds__(kElementwise) accumulate_kernel(const T* x, T* y, Param<uint32_t> count) {
  each_element<kWide>(
      count(),
      [&](uint32_t i) {
        const float4 a = load4(x + i), b = load4(y + i);
        store4(y + i, make_float4(b.x + a.x, b.y + a.y, b.z + a.z, b.w + a.w));
      },
      [&](uint32_t i) { y[i] = from_float<T>(to_float(y[i]) + to_float(x[i])); });
}

// ---------------------------------------------------------------- forward

template <class T>
void accumulate_forward(Launch& launch, Buffer<const T> x, Buffer<T> y, Param<uint32_t> count) {
  const bool wide = is_wide(x.data) && is_wide(y.data);
  const auto kernel = wide ? accumulate_kernel<T, true> : accumulate_kernel<T, false>;
  launch(kernel, element_blocks(launch, y.size), kElementwise, 0, x.data, y.data, count);
}

}  // namespace

EXPORT_KERNELS(accumulate, KERNELS(accumulate_forward))
