// The same values in another type: f32 to bf16 (`narrow`), rounded to the nearest, or bf16 to f32, exact; i32 to f32, rounded
// to the nearest. Four elements a thread (elementwise.cuh). The floor is 6 bytes an element, 8 from integers.
#include "elementwise.cuh"

namespace {

__device__ __forceinline__ float to_float(int32_t v) { return float(v); }
__device__ __forceinline__ float4 load4(const int32_t* p) {
  const int4 v = *reinterpret_cast<const int4*>(p);
  return make_float4(float(v.x), float(v.y), float(v.z), float(v.w));
}

template <class X, class Y, bool kWide>
__global__ void __launch_bounds__(kElementwise) cast_kernel(const X* x, Y* y, Param<uint32_t> count) {
  each_element<kWide>(
      count(), [&](uint32_t i) { store4(y + i, load4(x + i)); }, [&](uint32_t i) { y[i] = from_float<Y>(to_float(x[i])); });
}

template <class X, class Y>
void convert(Launch& launch, const void* from, void* to, size_t n, Param<uint32_t> count) {
  const X* x = static_cast<const X*>(from);
  Y* y = static_cast<Y*>(to);
  const auto kernel = is_wide(x) && is_wide(y) ? cast_kernel<X, Y, true> : cast_kernel<X, Y, false>;
  launch(kernel, element_blocks(launch, n), kElementwise, 0, x, y, count);
}

// ---------------------------------------------------------------- forward

void cast_forward(Launch& launch, Buffer<const int32_t> x, Buffer<float> y, Param<uint32_t> count, Param<uint32_t> narrow) {
  (void)narrow;
  convert<int32_t, float>(launch, x.data, y.data, y.size, count);
}

// Which of the two is bf16 says `narrow`, a constant; so the buffers come as bytes.
void cast_forward_bf16(Launch& launch, Buffer<const char> x, Buffer<char> y, Param<uint32_t> count, Param<uint32_t> narrow) {
  if (narrow.most)
    convert<float, bf16>(launch, x.data, y.data, y.size / sizeof(bf16), count);
  else
    convert<bf16, float>(launch, x.data, y.data, y.size / sizeof(float), count);
}

}  // namespace

EXPORT_KERNELS(cast, KERNEL(cast_forward), KERNEL(cast_forward_bf16))
