// One LAMB step on whole arenas, in place (You et al. 2020, algorithm 2, without bias correction where corrections are 1):
//
//   u = direction(m, v) + decay p,   p -= lr ratio u,   ratio = |p| / |u| per segment, 1 where one of them is 0,   g = 0
//
// Work split, two stages: one task is one chunk of a table [chunks, 3] of (segment, start, count). The first updates the
// moments, leaves u where g was and |p|^2, |u|^2 of the chunk as doubles in `partial` [chunks, 2]. One task a segment then
// adds its chunks in order and puts the ratio into the first; the second stage applies it. Numerics: optimizer.h.
#include "kernel.h"
#include "optimizer.h"

namespace {

// ---------------------------------------------------------------- forward

void lamb_forward(Team& team, float* parameters, float* gradients, float* moment1, float* moment2, const int32_t* table,
                  const int32_t* segments, const float* norm, double* partial, uint32_t chunk_count, uint32_t segment_count,
                  float lr, float beta1, float beta2, float rest1, float rest2, float eps, float decay, float clip,
                  float unscale, float correction1, float correction2) {
  if (!__builtin_isfinite(*norm)) return clear_gradients(team, gradients, table, segments, chunk_count);
  const Moments moments(beta1, beta2, rest1, rest2, eps, clip, unscale, *norm, correction1, correction2);

  each(team, chunk_count, [&](uint32_t c) {
    const int32_t flags = segments[2 * table[3 * c]];
    const uint32_t start = uint32_t(table[3 * c + 1]);
    if (!(flags & kTrainable)) return;
    const V d = set1(flags & kDecay ? decay : 0.0f);
    double square_p = 0, square_u = 0;
    blocks(uint32_t(table[3 * c + 2]), [&](uint32_t begin, uint32_t size) {
      V sp = zero(), su = zero();
      vectors(size, [&](uint32_t i, uint32_t n) {
        const size_t at = size_t(start) + begin + i;
        const V p = load_n(parameters + at, n);
        const V u = fma(d, p, moments.update(load_n(gradients + at, n), moment1 + at, moment2 + at, n));
        store_n(gradients + at, u, n);
        sp = fma(p, p, sp);
        su = fma(u, u, su);  // lanes past the end are 0, as eps is positive
      });
      square_p += double(sum(sp));
      square_u += double(sum(su));
    });
    partial[2 * c] = square_p;
    partial[2 * c + 1] = square_u;
  });

  each(team, segment_count, [&](uint32_t s) {
    const uint32_t begin = uint32_t(segments[2 * s + 1]), end = s + 1 < segment_count ? uint32_t(segments[2 * s + 3]) : chunk_count;
    if (begin == end) return;
    double square_p = 0, square_u = 0;
    for (uint32_t c = begin; c < end; c++) square_p += partial[2 * c], square_u += partial[2 * c + 1];
    const bool adapts = (segments[2 * s] & kAdapt) && square_p > 0 && square_u > 0;
    partial[2 * begin] = adapts ? ::sqrt(square_p) / ::sqrt(square_u) : 1.0;
  });

  each(team, chunk_count, [&](uint32_t c) {
    const int32_t segment = table[3 * c];
    const uint32_t start = uint32_t(table[3 * c + 1]);
    if (!(segments[2 * segment] & kTrainable)) return;
    const V step = set1(float(-double(lr) * partial[2 * segments[2 * segment + 1]]));
    vectors(uint32_t(table[3 * c + 2]), [&](uint32_t i, uint32_t n) {
      const size_t at = size_t(start) + i;
      store_n(parameters + at, fma(step, load_n(gradients + at, n), load_n(parameters + at, n)), n);
      store_n(gradients + at, zero(), n);
    });
  });
}

}  // namespace

EXPORT_KERNELS(lamb, KERNEL(lamb_forward))
