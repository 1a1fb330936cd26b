// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random words from a counter, the same
// that kernels/cpu/philox.h draws.
//
// Dropout masks are never stored. Word `e % 4` of the block with counter (e / 4, j, stream << 16 | layer, draw) and
// key (seed, kPhiloxKey) decides element e of plane j: it is kept if the word is at least p * 2^32. `draw` counts forward
// passes, `stream` tells the dropouts of a model apart and `layer` the iterations of a repeat. One thread computes the four
// words of four neighbours: twenty wide products and as many exclusive ors of three, the keys of rounds are uniform.
#pragma once
#include "kernel.cuh"

namespace {

constexpr uint32_t kPhiloxKey = 0xB10A1BE7u;

struct DropoutSite {
  uint32_t seed, draw, site;  // site = stream << 16 | layer
  uint32_t threshold;         // p * 2^32
  float scale;                // 1 / (1 - p)
};

// The parameters of an entry point with dropout, as a kernel takes them.
struct DropoutParams {
  Param<float> p;
  Param<uint32_t> seed, draw, stream, layer;

  // Read it once, into a local variable. A threshold of 0 keeps all and needs no words: it is uniform, so ask it first.
  __device__ __forceinline__ DropoutSite site() const {
    const float q = p();
    return {seed(), draw(), stream() << 16 | layer(), uint32_t(q * 4294967296.0f), 1.0f / (1.0f - q)};  // the product is exact
  }
};

// Words of elements 4 block to 4 block + 3 of a plane.
__device__ __forceinline__ uint4 philox(const DropoutSite& d, uint32_t block, uint32_t plane) {
  uint32_t c0 = block, c1 = plane, c2 = d.site, c3 = d.draw, k0 = d.seed, k1 = kPhiloxKey;
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t(0xD2511F53u) * c0, b = uint64_t(0xCD9E8D57u) * c2;
    c0 = uint32_t(b >> 32) ^ c1 ^ k0, c1 = uint32_t(b);
    c2 = uint32_t(a >> 32) ^ c3 ^ k1, c3 = uint32_t(a);
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return make_uint4(c0, c1, c2, c3);
}

// Elements 4 block to 4 block + 3 of a plane, v / (1 - p) or 0. A choice, not a product: 0 times an infinity is a NaN.
__device__ __forceinline__ float4 kept4(const DropoutSite& d, uint32_t block, uint32_t plane, float4 v) {
  const uint4 w = philox(d, block, plane);
  return make_float4(w.x >= d.threshold ? v.x * d.scale : 0.f, w.y >= d.threshold ? v.y * d.scale : 0.f,
                     w.z >= d.threshold ? v.z * d.scale : 0.f, w.w >= d.threshold ? v.w * d.scale : 0.f);
}

// Whether element e of a plane is kept: all four words are drawn for one.
__device__ __forceinline__ bool is_kept(const DropoutSite& d, uint32_t e, uint32_t plane) {
  const uint4 w = philox(d, e / 4, plane);
  const uint32_t low = e & 1 ? w.y : w.x, high = e & 1 ? w.w : w.z;
  return (e & 2 ? high : low) >= d.threshold;
}

}  // namespace
