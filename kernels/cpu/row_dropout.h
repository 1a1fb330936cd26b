// Dropout of one row, shared by embedding and dropout_add_layernorm: element h of row n is element h of plane n of the
// site's random words (philox.h), so rows are independent of each other and of where they lie in memory.
#pragma once
#include "kernel.h"
#include "philox.h"

namespace {

// Words that a row of n elements needs room for.
inline size_t dropout_room(uint32_t n) { return (size_t(n) + 31) / 32 * 32; }

// y = kept(x) / (1 - p); y may be x. `words` has room for dropout_room(n).
template <class X, class Y>
inline void dropout_row(const DropoutSite& site, uint32_t row, const X* x, Y* y, uint32_t n, uint32_t* words) {
  philox_words(site, 0, n, row, words);
  const V scale = set1(site.scale);
  vectors(n, [&](uint32_t i, uint32_t k) { store_n(y + i, keep(words + i, site.threshold, load_n(x + i, k)) * scale, k); });
}

// y = residual + kept(x) / (1 - p).
template <class T>
inline void dropout_add_row(const DropoutSite& site, uint32_t row, const T* x, const T* residual, T* y, uint32_t n,
                            uint32_t* words) {
  philox_words(site, 0, n, row, words);
  const V scale = set1(site.scale);
  vectors(n, [&](uint32_t i, uint32_t k) {
    store_n(y + i, fma(keep(words + i, site.threshold, load_n(x + i, k)), scale, load_n(residual + i, k)), k);
  });
}

}  // namespace
