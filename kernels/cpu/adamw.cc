// One AdamW step on whole arenas, in place (Loshchilov and Hutter 2019): p -= lr (direction(m, v) + decay p), g = 0.
//
// Work split: one task is one chunk of a table [chunks, 3] of (segment, start, count); everything in one pass.
// Numerics: optimizer.h.
#include "kernel.h"
#include "optimizer.h"

namespace {

// ---------------------------------------------------------------- forward

void adamw_forward(Team& team, float* parameters, float* gradients, float* moment1, float* moment2, const int32_t* table,
                   const int32_t* segments, const float* norm, uint32_t chunk_count, float lr, float beta1, float beta2,
                   float rest1, float rest2, float eps, float decay, float clip, float unscale, float correction1,
                   float correction2) {
  if (!__builtin_isfinite(*norm)) return clear_gradients(team, gradients, table, segments, chunk_count);
  const Moments moments(beta1, beta2, rest1, rest2, eps, clip, unscale, *norm, correction1, correction2);
  const V step = set1(-lr);
  each(team, chunk_count, [&](uint32_t c) {
    const int32_t flags = segments[2 * table[3 * c]];
    const uint32_t start = uint32_t(table[3 * c + 1]);
    if (!(flags & kTrainable)) return;
    const V d = set1(flags & kDecay ? decay : 0.0f);
    vectors(uint32_t(table[3 * c + 2]), [&](uint32_t i, uint32_t n) {
      const size_t at = size_t(start) + i;
      const V p = load_n(parameters + at, n);
      const V u = fma(d, p, moments.update(load_n(gradients + at, n), moment1 + at, moment2 + at, n));
      store_n(parameters + at, fma(step, u, p), n);
      store_n(gradients + at, zero(), n);
    });
  });
}

}  // namespace

EXPORT_KERNELS(adamw, KERNEL(adamw_forward))
