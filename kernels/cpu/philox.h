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

// Words of elements [begin, begin + n) of plane j. `begin` is a multiple of 4; `out` has room for n rounded up to 32. Only
// the lower halves of lanes count, so a block of four words costs two products, two shifts and two exclusive ors a round.
inline void philox_words(const DropoutSite& d, uint32_t begin, uint32_t n, uint32_t j, uint32_t* out) {
  const U m0 = words(0xD2511F53u), m1 = words(0xCD9E8D57u);
  for (uint32_t i = 0; i < n; i += 4 * kWordLanes) {
    U c0 = words_from((begin + i) / 4), c1 = words(j), c2 = words(d.site), c3 = words(d.draw);
    uint32_t k0 = d.seed, k1 = kPhiloxKey;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
      const U a = multiply(m0, c0), b = multiply(m1, c2);
      c0 = high_xor(b, c1, words(k0)), c1 = b, c2 = high_xor(a, c3, words(k1)), c3 = a;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    store_words(out + i, c0, c1, c2, c3);
  }
}

}  // namespace
