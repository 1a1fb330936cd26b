// norm[0] = sqrt(sum of (unscale gradients[i])^2) over the chunks of a table [chunks, 3] of (segment, start, count).
//
// Work split: one task is one chunk (at most 16,384 elements), its sum a double in `partial`; one task adds the chunks
// in order. Numerics: gradients are multiplied first, so that a loss scale, a power of two, changes neither bits nor range;
// squares are summed in f32 over 256 elements, beyond that in double. Infinite or NaN gradients, and squares that overflow,
// make the norm not finite.
#include "kernel.h"
#include "optimizer.h"

namespace {

// ---------------------------------------------------------------- forward

void global_norm_forward(Team& team, const float* gradients, const int32_t* table, float* norm, double* partial,
                         uint32_t chunk_count, float unscale) {
  const V factor = set1(unscale);
  each(team, chunk_count, [&](uint32_t c) {
    const float* g = gradients + table[3 * c + 1];
    double total = 0;
    blocks(uint32_t(table[3 * c + 2]), [&](uint32_t begin, uint32_t n) {
      V s = zero();
      vectors(n, [&](uint32_t i, uint32_t k) {
        const V v = load_n(g + begin + i, k) * factor;
        s = fma(v, v, s);
      });
      total += double(sum(s));
    });
    partial[c] = total;
  });
  each(team, 1, [&](uint32_t) {
    double total = 0;
    for (uint32_t c = 0; c < chunk_count; c++) total += partial[c];
    *norm = float(::sqrt(total));
  });
}

}  // namespace

EXPORT_KERNELS(global_norm, KERNEL(global_norm_forward))
