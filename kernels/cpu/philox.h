// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random words from a counter.
//
// Dropout masks are never stored. Word `e % 4` of the block with counter (e / 4, j, stream << 16 | layer, draw) and
// key (seed, kKey) decides element e of plane j: it is kept if the word is at least p * 2^32. `draw` counts forward
// passes, `stream` tells the dropouts of a model apart and `layer` the iterations of a repeat. The WGSL and CUDA
// kernels draw the same words.
#pragma once
#include "kernel.h"

namespace {

constexpr uint32_t kPhiloxKey = 0xB10A1BE7u;

struct DropoutSite {
  uint32_t seed, draw, site;  // site = stream << 16 | layer
  uint32_t threshold;         // p * 2^32
  float scale;                // 1 / (1 - p)
};

inline DropoutSite dropout_site(float p, uint32_t seed, uint32_t draw, uint32_t stream, uint32_t layer) {
  return {seed, draw, stream << 16 | layer, uint32_t(double(p) * 4294967296.0), 1.0f / (1.0f - p)};
}

// 4 kWordLanes words for each of `groups` neighbours, whose rounds take turns: one alone waits for its own products. Only the
// lower halves of lanes count, so a block of four words costs two products, two shifts and two exclusive ors a round.
template <uint32_t groups>
inline void philox_groups(const DropoutSite& d, uint32_t block, uint32_t j, uint32_t* out) {
  const U m0 = words(0xD2511F53u), m1 = words(0xCD9E8D57u);
  U c0[groups], c1[groups], c2[groups], c3[groups];
#pragma GCC unroll 2
  for (uint32_t g = 0; g < groups; g++)
    c0[g] = words_from(block + g * kWordLanes), c1[g] = words(j), c2[g] = words(d.site), c3[g] = words(d.draw);
  uint32_t k0 = d.seed, k1 = kPhiloxKey;
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
#pragma GCC unroll 2
    for (uint32_t g = 0; g < groups; g++) {
      const U a = multiply(m0, c0[g]), b = multiply(m1, c2[g]);
      c0[g] = high_xor(b, c1[g], words(k0)), c1[g] = b, c2[g] = high_xor(a, c3[g], words(k1)), c3[g] = a;
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
#pragma GCC unroll 2
  for (uint32_t g = 0; g < groups; g++) store_words(out + g * 4 * kWordLanes, c0[g], c1[g], c2[g], c3[g]);
}

// Words of elements [begin, begin + n) of plane j. `begin` is a multiple of 4; `out` has room for n rounded up to 32.
inline void philox_words(const DropoutSite& d, uint32_t begin, uint32_t n, uint32_t j, uint32_t* out) {
  constexpr uint32_t kGroup = 4 * kWordLanes;
  uint32_t i = 0;
  for (; i + kGroup < n; i += 2 * kGroup) philox_groups<2>(d, (begin + i) / 4, j, out + i);
  if (i < n) philox_groups<1>(d, (begin + i) / 4, j, out + i);
}

}  // namespace
