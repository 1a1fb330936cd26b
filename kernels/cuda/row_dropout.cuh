// Dropout of one row, shared by embedding and dropout_add_layernorm: element h of row n is element h of plane n of the
// site's random words (philox.cuh), so rows are independent of each other and of where they lie in memory.
#pragma once
#include "philox.cuh"

namespace {

// v[i] = kept(v[i]) / (1 - p), elements h + i of row n; h is a multiple of N.
template <uint32_t N>
__device__ __forceinline__ void drop(const DropoutSite& site, uint32_t n, uint32_t h, float (&v)[N]) {
  if (site.threshold == 0) return;
  if constexpr (N == 1) {
    v[0] = is_kept(site, h, n) ? v[0] * site.scale : 0.f;
  } else {
    static_assert(N % 4 == 0, "whole groups of words");
#pragma unroll
    for (uint32_t i = 0; i < N; i += 4) {
      const float4 k = kept4(site, (h + i) / 4, n, make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]));
      v[i] = k.x, v[i + 1] = k.y, v[i + 2] = k.z, v[i + 3] = k.w;
    }
  }
}

}  // namespace
