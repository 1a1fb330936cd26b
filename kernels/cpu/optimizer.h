// What LAMB, AdamW and the norm of the gradients share: flags of segments, blocks of a chunk, moments and direction.
//
//   m = beta1 m + rest1 g;  v = beta2 v + rest2 g^2;  direction = (m / correction1) / (sqrt(v / correction2) + eps)
//
// with rest = 1 - beta and g the gradient times `unscale` (1 / loss scale, ops/lamb.ts) times min(1, clip / norm), one factor.
#pragma once
#include "kernel.h"

namespace {

constexpr int32_t kDecay = 1, kAdapt = 2, kTrainable = 4;  // graph/segments.ts
constexpr uint32_t kSumBlock = 256;                        // elements that are summed in f32 before a double takes over

// f(begin, n) for blocks of n <= kSumBlock elements that cover [0, count).
template <class F>
inline void blocks(uint32_t count, F f) {
  for (uint32_t i = 0; i < count; i += kSumBlock) f(i, count - i < kSumBlock ? count - i : kSumBlock);
}

struct Moments {
  V beta1, beta2, rest1, rest2, eps, factor, inverse1, inverse2;

  Moments(float b1, float b2, float r1, float r2, float epsilon, float clip, float unscale, float norm, float correction1,
          float correction2)
      : beta1(set1(b1)),
        beta2(set1(b2)),
        rest1(set1(r1)),
        rest2(set1(r2)),
        eps(set1(epsilon)),
        factor(set1((clip > 0 && norm > clip ? clip / norm : 1.0f) * unscale)),
        inverse1(set1(1.0f / correction1)),
        inverse2(set1(1.0f / correction2)) {}

  // Updates n moments and returns the direction of the step.
  V update(V gradient, float* moment1, float* moment2, uint32_t n) const {
    const V g = gradient * factor;
    const V m = fma(beta1, load_n(moment1, n), rest1 * g), v = fma(beta2, load_n(moment2, n), rest2 * (g * g));
    store_n(moment1, m, n);
    store_n(moment2, v, n);
    return m * inverse1 / (sqrt(v * inverse2) + eps);
  }
};

// Where the gradients are not finite a step is left out; they are cleared, so that the next one starts afresh.
inline void clear_gradients(Team& team, float* gradients, const int32_t* table, const int32_t* segments, uint32_t chunk_count) {
  each(team, chunk_count, [&](uint32_t c) {
    if (segments[2 * table[3 * c]] & kTrainable) memset(gradients + table[3 * c + 1], 0, size_t(table[3 * c + 2]) * sizeof(float));
  });
}

}  // namespace
