// Dropout, residual and layer normalisation (the end of attention and of the feed-forward half of a block):
//
//   sum[n] = residual[n] + dropout(x[n]),   y[n] = LN(sum[n]) weight + bias,   all [rows, hidden]
//
// Work split: as layernorm: forward 16 rows a task, backward blocks of 64 rows whose dweight and dbias go to `partial`,
// added in order. Saved for backward: sum, mean, rstd; the dropout mask is drawn again. In bf16 the sum is rounded before
// it is normalised, so that forward and backward speak of the same numbers.
#include "kernel.h"
#include "row_dropout.h"
#include "row_norm.h"

namespace {

// ---------------------------------------------------------------- forward

template <class T>
void dropout_add_layernorm_forward(Team& team, const T* x, const T* residual, const float* weight, const float* bias, T* y, T* sum,
                                   float* mean, float* rstd, uint32_t rows, uint32_t hidden, float eps, float p, uint32_t seed,
                                   uint32_t draw, uint32_t stream, uint32_t layer) {
  const DropoutSite site = dropout_site(p, seed, draw, stream, layer);
  uint32_t* words = reinterpret_cast<uint32_t*>(team.scratch());
  each_range(team, rows, 16, [&](uint32_t begin, uint32_t end) {
    for (uint32_t n = begin; n < end; n++) {
      const size_t at = size_t(n) * hidden;
      T* s = sum + at;
      if (p > 0)
        dropout_add_row(site, n, x + at, residual + at, s, hidden, words);
      else
        vectors(hidden, [&](uint32_t i, uint32_t k) { store_n(s + i, load_n(x + at + i, k) + load_n(residual + at + i, k), k); });
      normalize_row(s, weight, bias, y + at, mean + n, rstd + n, hidden, eps);
    }
  });
}

// ---------------------------------------------------------------- backward
// dresidual is the gradient of sum; dx = kept(dresidual) / (1 - p)

template <class T>
void dropout_add_layernorm_backward(Team& team, const T* dy, const T* sum, const float* weight, const float* mean,
                                    const float* rstd, T* dx, T* dresidual, float* dweight, float* dbias, float* partial,
                                    uint32_t rows, uint32_t hidden, float p, uint32_t seed, uint32_t draw, uint32_t stream,
                                    uint32_t layer) {
  const DropoutSite site = dropout_site(p, seed, draw, stream, layer);
  uint32_t* words = reinterpret_cast<uint32_t*>(team.scratch());
  each_range(team, rows, kNormBlock, [&](uint32_t begin, uint32_t end) {
    float* part = partial + size_t(begin / kNormBlock) * 2 * hidden;
    memset(part, 0, 2 * hidden * sizeof(float));
    for (uint32_t n = begin; n < end; n++) {
      const size_t at = size_t(n) * hidden;
      normalize_row_backward(dy + at, sum + at, weight, mean[n], rstd[n], dresidual + at, part, part + hidden, hidden,
                             p > 0 ? nullptr : dx + at);
      if (p > 0) dropout_row(site, n, dresidual + at, dx + at, hidden, words);
    }
  });
  reduce_norm_partials(team, partial, dweight, dbias, rows, hidden);
}

}  // namespace

EXPORT_KERNELS(dropout_add_layernorm, KERNELS(dropout_add_layernorm_forward), KERNELS(dropout_add_layernorm_backward))
