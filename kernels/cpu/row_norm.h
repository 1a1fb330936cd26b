// One row of layer normalisation, forward and backward, shared by layernorm, dropout_add_layernorm and embedding. Rows may
// be stored as float or bf16; statistics and sums are floats.
#pragma once
#include "kernel.h"

namespace {

constexpr uint32_t kNormBlock = 64;  // rows whose weight and bias gradients one task sums

// y may be x.
template <class X, class Y>
inline void normalize_row(const X* x, const float* weight, const float* bias, Y* y, float* mean, float* rstd, uint32_t hidden,
                          float eps) {
  V s = zero();
  vectors(hidden, [&](uint32_t i, uint32_t n) { s = s + load_n(x + i, n); });
  const float m = sum(s) / float(hidden);
  // second pass: the difference of squares would lose digits when the mean is large; masked lanes must not count
  V q = zero();
  const V vm = set1(m);
  uint32_t i = 0;
  for (; i + W <= hidden; i += W) {
    const V d = load(x + i) - vm;
    q = fma(d, d, q);
  }
  float tail = 0;
  for (; i < hidden; i++) tail += (to_float(x[i]) - m) * (to_float(x[i]) - m);
  const float r = 1.0f / sqrtf((sum(q) + tail) / float(hidden) + eps);
  const V vr = set1(r);
  vectors(hidden, [&](uint32_t h, uint32_t n) {
    const V hat = (load_n(x + h, n) - vm) * vr;
    store_n(y + h, fma(hat, load_n(weight + h, n), load_n(bias + h, n)), n);
  });
  *mean = m;
  *rstd = r;
}

// dx may be any of the inputs' memory only if it is dy. dweight and dbias gain this row.
template <class D, class X, class G>
inline void normalize_row_backward(const D* dy, const X* x, const float* weight, float mean, float rstd, G* dx, float* dweight,
                                   float* dbias, uint32_t hidden) {
  const V vm = set1(mean), vr = set1(rstd);
  V sum_g = zero(), sum_gx = zero();
  vectors(hidden, [&](uint32_t h, uint32_t n) {
    const V d = load_n(dy + h, n), g = d * load_n(weight + h, n), hat = (load_n(x + h, n) - vm) * vr;
    sum_g = sum_g + g;                 // masked lanes: d is 0 there
    sum_gx = fma(g, hat, sum_gx);
    store_n(dweight + h, fma(d, hat, load_n(dweight + h, n)), n);
    store_n(dbias + h, load_n(dbias + h, n) + d, n);
  });
  const V mg = set1(sum(sum_g) / float(hidden)), mgx = set1(sum(sum_gx) / float(hidden));
  vectors(hidden, [&](uint32_t h, uint32_t n) {
    const V g = load_n(dy + h, n) * load_n(weight + h, n), hat = (load_n(x + h, n) - vm) * vr;
    store_n(dx + h, vr * (g - mg - hat * mgx), n);
  });
}

// partial [ceil(rows / kNormBlock), 2, hidden], added block by block onto dweight and dbias.
inline void reduce_norm_partials(Team& team, const float* partial, float* dweight, float* dbias, uint32_t rows, uint32_t hidden) {
  const uint32_t blocks = (rows + kNormBlock - 1) / kNormBlock;
  each_range(team, hidden, 64, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) {
      const uint32_t h = begin + i;
      V w = load_n(dweight + h, n), b = load_n(dbias + h, n);
      for (uint32_t k = 0; k < blocks; k++) {
        w = w + load_n(partial + (size_t(k) * 2) * hidden + h, n);
        b = b + load_n(partial + (size_t(k) * 2 + 1) * hidden + h, n);
      }
      store_n(dweight + h, w, n);
      store_n(dbias + h, b, n);
    });
  });
}

}  // namespace
