// Dropout (Srivastava et al. 2014): y[e] = x[e] / (1 - p) where word e of plane 0 is at least p 2^32, else 0.
//
// Work split: a thread has four neighbouring elements, whose words are one block of Philox, in a grid-stride loop; two such
// groups side by side, so that enough bytes are under way. The mask is drawn again in backward, which is the same function.
// Floor: 8 bytes an element. What a block of words costs, some fifty instructions for four elements, hides behind it.
#include "philox.cuh"

namespace {

constexpr uint32_t kThreads = 256, kGroups = 2;

// Elements 4 group to 4 group + n - 1, where n is below 4 or addresses are no multiples of 16 bytes.
__device__ __forceinline__ void drop_some(const float* from, float* to, const DropoutSite& site, uint32_t group, uint32_t n) {
  const uint32_t e = 4 * group;
  float4 v = make_float4(from[e], n > 1 ? from[e + 1] : 0.f, n > 2 ? from[e + 2] : 0.f, n > 3 ? from[e + 3] : 0.f);
  if (site.threshold > 0) v = kept4(site, group, 0, v);
  to[e] = v.x;
  if (n > 1) to[e + 1] = v.y;
  if (n > 2) to[e + 2] = v.z;
  if (n > 3) to[e + 3] = v.w;
}

template <bool kWide>
__global__ void __launch_bounds__(kThreads)
dropout_kernel(const float* __restrict__ from, float* __restrict__ to, Param<uint32_t> count, DropoutParams params) {
  const uint32_t n = count(), whole = n / 4, step = gridDim.x * kThreads;
  const DropoutSite site = params.site();
  uint32_t group = blockIdx.x * kThreads + threadIdx.x;
  if constexpr (kWide) {
    for (; group < whole; group += kGroups * step) {
      float4 v[kGroups];
#pragma unroll
      for (uint32_t i = 0; i < kGroups; i++)
        if (group + i * step < whole) v[i] = load4(from + 4 * size_t(group + i * step));
#pragma unroll
      for (uint32_t i = 0; i < kGroups; i++) {
        const uint32_t g = group + i * step;
        if (g >= whole) continue;
        store4(to + 4 * size_t(g), site.threshold > 0 ? kept4(site, g, 0, v[i]) : v[i]);
      }
    }
  } else {
    for (; group < whole; group += step) drop_some(from, to, site, group, 4);
  }
  if (n % 4 != 0 && blockIdx.x == 0 && threadIdx.x == 0) drop_some(from, to, site, whole, n % 4);
}

void apply(Launch& launch, Buffer<const float> from, Buffer<float> to, Param<uint32_t> count, const DropoutParams& params) {
  const bool wide = reinterpret_cast<uintptr_t>(from.data) % 16 == 0 && reinterpret_cast<uintptr_t>(to.data) % 16 == 0;
  launch(wide ? dropout_kernel<true> : dropout_kernel<false>, blocks_for(launch, to.size, 4 * kGroups * kThreads), kThreads, 0,
         from.data, to.data, count, params);
}

// ---------------------------------------------------------------- forward

void dropout_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> count, Param<float> p,
                     Param<uint32_t> seed, Param<uint32_t> draw, Param<uint32_t> stream, Param<uint32_t> layer) {
  apply(launch, x, y, count, {p, seed, draw, stream, layer});
}

// ---------------------------------------------------------------- backward

void dropout_backward(Launch& launch, Buffer<const float> dy, Buffer<float> dx, Param<uint32_t> count, Param<float> p,
                      Param<uint32_t> seed, Param<uint32_t> draw, Param<uint32_t> stream, Param<uint32_t> layer) {
  apply(launch, dy, dx, count, {p, seed, draw, stream, layer});
}

}  // namespace

EXPORT_KERNELS(dropout, KERNEL(dropout_forward), KERNEL(dropout_backward))
