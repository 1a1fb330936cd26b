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
  const float m = sum(total(hidden, [&](uint32_t i, uint32_t n) { return load_n(x + i, n); })) / float(hidden);
  // second pass: the difference of squares would lose digits when the mean is large; masked lanes must not count
  const V vm = set1(m);
  const uint32_t whole = hidden / W * W;
  const V q = total(whole, [&](uint32_t i, uint32_t) {
    const V d = load(x + i) - vm;
    return d * d;
  });
  float tail = 0;
  for (uint32_t i = whole; i < hidden; i++) tail += (to_float(x[i]) - m) * (to_float(x[i]) - m);
  const float r = 1.0f / sqrtf((sum(q) + tail) / float(hidden) + eps);
  const V vr = set1(r);
  vectors(hidden, [&](uint32_t h, uint32_t n) {
    const V hat = (load_n(x + h, n) - vm) * vr;
    store_n(y + h, fma(hat, load_n(weight + h, n), load_n(bias + h, n)), n);
  });
  *mean = m;
  *rstd = r;
}

// dx may be any of the inputs' memory only if it is dy. dweight and dbias gain this row. `again`: null, or where else dx goes.
template <class D, class X, class G>
inline void normalize_row_backward(const D* dy, const X* x, const float* weight, float mean, float rstd, G* dx, float* dweight,
                                   float* dbias, uint32_t hidden, G* again = nullptr) {
  const V vm = set1(mean), vr = set1(rstd);
  V sum_g[2] = {zero(), zero()}, sum_gx[2] = {zero(), zero()};
  const auto gain = [&](uint32_t h, uint32_t n, uint32_t chain) {
    const V d = load_n(dy + h, n), g = d * load_n(weight + h, n), hat = (load_n(x + h, n) - vm) * vr;
    sum_g[chain] = sum_g[chain] + g;  // masked lanes: d is 0 there
    sum_gx[chain] = fma(g, hat, sum_gx[chain]);
    store_n(dweight + h, fma(d, hat, load_n(dweight + h, n)), n);
    store_n(dbias + h, load_n(dbias + h, n) + d, n);
  };
  uint32_t i = 0;
  for (; i + 2 * W <= hidden; i += 2 * W) gain(i, W, 0), gain(i + W, W, 1);
  for (; i < hidden; i += W) gain(i, hidden - i < W ? hidden - i : W, 0);
  const V mg = set1(sum(sum_g[0] + sum_g[1]) / float(hidden)), mgx = set1(sum(sum_gx[0] + sum_gx[1]) / float(hidden));
  vectors(hidden, [&](uint32_t h, uint32_t n) {
    const V g = load_n(dy + h, n) * load_n(weight + h, n), hat = (load_n(x + h, n) - vm) * vr;
    const V d = vr * (g - mg - hat * mgx);
    store_n(dx + h, d, n);
    if (again) store_n(again + h, d, n);
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
