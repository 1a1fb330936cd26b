// y[i] = value. Four elements a thread (elementwise.cuh).
#include "elementwise.cuh"

namespace {

template <class T, bool kWide>
__global__ void __launch_bounds__(kElementwise) fill_kernel(T* y, Param<uint32_t> count, Param<float> value) {
  const float v = value();
  each_element<kWide>(
      count(), [&](uint32_t i) { store4(y + i, make_float4(v, v, v, v)); }, [&](uint32_t i) { y[i] = from_float<T>(v); });
}

// ---------------------------------------------------------------- forward

template <class T>
void fill_forward(Launch& launch, Buffer<T> y, Param<uint32_t> count, Param<float> value) {
  const auto kernel = is_wide(y.data) ? fill_kernel<T, true> : fill_kernel<T, false>;
  launch(kernel, element_blocks(launch, y.size), kElementwise, 0, y.data, count, value);
}

}  // namespace

EXPORT_KERNELS(fill, KERNELS(fill_forward))
