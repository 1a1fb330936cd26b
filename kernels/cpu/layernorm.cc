// Layer normalisation over the last dimension (Ba et al. 2016).
//
//   y[n,h] = (x[n,h] - mean[n]) * rstd[n] * weight[h] + bias[h],   rstd = 1 / sqrt(var + eps), biased variance
//
// Work split: one task is 16 rows; a row belongs to one thread. Gradients of weight and bias are sums over rows: fixed
// blocks of 64 rows are summed by one task each into `partial`, and the blocks are then added in order.
// Saved for backward: mean and rstd, one float a row.
#include "kernel.h"
#include "row_norm.h"

namespace {

// ---------------------------------------------------------------- forward

void layernorm_forward(Team& team, const float* x, const float* weight, const float* bias, float* y, float* mean, float* rstd,
                       uint32_t rows, uint32_t hidden, float eps) {
  each_range(team, rows, 16, [&](uint32_t begin, uint32_t end) {
    for (uint32_t n = begin; n < end; n++) {
      const size_t at = size_t(n) * hidden;
      prefetch(x + at + hidden, hidden);  // the next row
      prefetch<true>(y + at, hidden);
      normalize_row(x + at, weight, bias, y + at, mean + n, rstd + n, hidden, eps);
    }
  });
}

// ---------------------------------------------------------------- backward
// g = dy * weight, x^ = (x - mean) rstd:   dx = rstd (g - mean(g) - x^ mean(g x^))

void layernorm_backward(Team& team, const float* dy, const float* x, const float* weight, const float* mean, const float* rstd,
                        float* dx, float* dweight, float* dbias, float* partial, uint32_t rows, uint32_t hidden) {
  each_range(team, rows, kNormBlock, [&](uint32_t begin, uint32_t end) {
    float* part = partial + size_t(begin / kNormBlock) * 2 * hidden;
    memset(part, 0, 2 * hidden * sizeof(float));
    for (uint32_t n = begin; n < end; n++)
      normalize_row_backward(dy + size_t(n) * hidden, x + size_t(n) * hidden, weight, mean[n], rstd[n], dx + size_t(n) * hidden,
                             part, part + hidden, hidden);
  });
  reduce_norm_partials(team, partial, dweight, dbias, rows, hidden);
}

}  // namespace

EXPORT_KERNELS(layernorm, KERNEL(layernorm_forward), KERNEL(layernorm_backward))
