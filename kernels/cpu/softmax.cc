// Softmax over the last dimension, or its logarithm.
//
//   y[n,c] = exp(x[n,c] - m[n]) / sum_c exp(x[n,c] - m[n]),   m[n] = max_c x[n,c]
//   log:  y[n,c] = (x[n,c] - m[n]) - log sum_c exp(x[n,c] - m[n])
//
// Work split: one task is a run of whole rows, about 16,384 elements.
// Numerics: a row whose values are all -inf gives zeros (log: -inf), not NaN.
// Saved for backward: y.
#include "kernel.h"

namespace {

template <class F>
void each_row(Team& team, uint32_t rows, uint32_t columns, F f) {
  each_range(team, rows, 16384 / (columns + 1) + 1, [&](uint32_t begin, uint32_t end) {
    for (uint32_t n = begin; n < end; n++) f(size_t(n) * columns);
  });
}

// ---------------------------------------------------------------- forward

void softmax_forward(Team& team, const float* x, float* y, uint32_t rows, uint32_t columns, uint32_t log) {
  each_row(team, rows, columns, [&](size_t row) {
    const float* from = x + row;
    float* to = y + row;
    float m = -INFINITY;
    for (uint32_t c = 0; c < columns; c++) m = from[c] > m ? from[c] : m;
    if (m == -INFINITY) m = 0;
    const V vm = set1(m);
    V s = zero();
    uint32_t c = 0;
    for (; c + W <= columns; c += W) {
      const V e = exp(load(from + c) - vm);
      s = s + e;
      store(to + c, e);
    }
    float total = sum(s);
    for (; c < columns; c++) total += to[c] = expf(from[c] - m);
    if (log) {
      const V back = set1(logf(total));
      vectors(columns, [&](uint32_t i, uint32_t n) { store_n(to + i, (load_n(from + i, n) - vm) - back, n); });
    } else {
      const V by = set1(total > 0 || total != total ? 1.0f / total : 0.0f);
      vectors(columns, [&](uint32_t i, uint32_t n) { store_n(to + i, load_n(to + i, n) * by, n); });
    }
  });
}

// ---------------------------------------------------------------- backward
// dx = y (dy - sum_c dy y);   log: dx = dy - exp(y) sum_c dy

void softmax_backward(Team& team, const float* dy, const float* y, float* dx, uint32_t rows, uint32_t columns, uint32_t log) {
  each_row(team, rows, columns, [&](size_t row) {
    const float *d = dy + row, *v = y + row;
    V s = zero();
    vectors(columns, [&](uint32_t i, uint32_t n) {
      const V g = load_n(d + i, n);
      s = log ? s + g : fma(g, load_n(v + i, n), s);
    });
    const V total = set1(sum(s));
    vectors(columns, [&](uint32_t i, uint32_t n) {
      const V g = load_n(d + i, n), p = load_n(v + i, n);
      store_n(dx + row + i, log ? g - exp(p) * total : p * (g - total), n);
    });
  });
}

}  // namespace

EXPORT_KERNELS(softmax, KERNEL(softmax_forward), KERNEL(softmax_backward))
