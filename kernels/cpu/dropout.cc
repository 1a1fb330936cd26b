// Dropout (Srivastava et al. 2014): y[e] = x[e] / (1 - p) where word e is at least p 2^32, else 0.
//
// Work split: one task is 4,096 elements. The mask is drawn again in backward, which is the same function.
#include "kernel.h"
#include "philox.h"

namespace {

constexpr uint32_t kPiece = 4096, kWords = 256;

void apply(Team& team, const float* from, float* to, uint32_t count, const DropoutSite& site) {
  const V scale = set1(site.scale);
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    if (site.threshold == 0) {
      memcpy(to + begin, from + begin, (end - begin) * sizeof(float));
      return;
    }
    uint32_t words[kWords];
    for (uint32_t e = begin; e < end; e += kWords) {
      const uint32_t size = end - e < kWords ? end - e : kWords;
      prefetch(from + e, size);
      prefetch<true>(to + e, size);
      philox_words(site, e, size, 0, words);
      vectors(size, [&](uint32_t i, uint32_t n) { store_n(to + e + i, keep(words + i, site.threshold, load_n(from + e + i, n) * scale), n); });
    }
  });
}

// ---------------------------------------------------------------- forward

void dropout_forward(Team& team, const float* x, float* y, uint32_t count, float p, uint32_t seed, uint32_t draw, uint32_t stream,
                     uint32_t layer) {
  apply(team, x, y, count, dropout_site(p, seed, draw, stream, layer));
}

// ---------------------------------------------------------------- backward

void dropout_backward(Team& team, const float* dy, float* dx, uint32_t count, float p, uint32_t seed, uint32_t draw,
                      uint32_t stream, uint32_t layer) {
  apply(team, dy, dx, count, dropout_site(p, seed, draw, stream, layer));
}

}  // namespace

EXPORT_KERNELS(dropout, KERNEL(dropout_forward), KERNEL(dropout_backward))
