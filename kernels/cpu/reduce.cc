// Sum, mean or maximum over the middle axis: y[o,i] = fn over k of x[o,k,i].
//
// Work split: with inner > 1 one task is 64 neighbouring outputs of one o (vectors across i, walking k); with
// inner = 1 one task is a run of whole rows. An output belongs to one thread.
// Numerics: sums are taken in blocks of 256 terms and the blocks added up, so the error grows with the number of
// blocks, not of terms. Mean of nothing is 0, maximum of nothing -inf; a NaN makes the maximum NaN.
// Backward of max: the gradient goes to the first of equal maxima.
#include "kernel.h"

namespace {

constexpr uint32_t kSum = 0, kMean = 1;  // the order of REDUCE_FUNCTIONS in src/ops/reduce.ts; the third is max
constexpr uint32_t kColumns = 64, kBlock = 256;

inline float larger(float a, float b) { return a >= b || a != a ? a : b; }

float row_sum(const float* x, uint32_t n) {
  constexpr uint32_t kLong = kBlock * W;
  V total = zero();
  for (uint32_t k = 0; k < n; k += kLong) {
    V s = zero();
    vectors(n - k < kLong ? n - k : kLong, [&](uint32_t i, uint32_t m) { s = s + load_n(x + k + i, m); });
    total = total + s;
  }
  return sum(total);
}

float row_max(const float* x, uint32_t n) {
  float m = -INFINITY;
  for (uint32_t k = 0; k < n; k++) m = larger(x[k], m);
  return m;
}

// One task of `columns` outputs that lie side by side; x walks down by `inner`.
void column_sum(const float* x, float* y, uint32_t axis, uint32_t inner, uint32_t columns) {
  vectors(columns, [&](uint32_t i, uint32_t n) {
    V total = zero();
    for (uint32_t k = 0; k < axis; k += kBlock) {
      V s = zero();
      const uint32_t end = axis - k < kBlock ? axis : k + kBlock;
      for (uint32_t j = k; j < end; j++) s = s + load_n(x + size_t(j) * inner + i, n);
      total = total + s;
    }
    store_n(y + i, total, n);
  });
}

void column_max(const float* x, float* y, uint32_t axis, uint32_t inner, uint32_t columns) {
  for (uint32_t i = 0; i < columns; i++) y[i] = -INFINITY;
  for (uint32_t k = 0; k < axis; k++)
    for (uint32_t i = 0; i < columns; i++) y[i] = larger(x[size_t(k) * inner + i], y[i]);
}

// f(o, i, columns) for tasks that cover outer x inner outputs.
template <class F>
void each_output(Team& team, uint32_t outer, uint32_t axis, uint32_t inner, F f) {
  if (inner == 1) {
    each_range(team, outer, 16384 / (axis + 1) + 1, [&](uint32_t begin, uint32_t end) {
      for (uint32_t o = begin; o < end; o++) f(o, 0, 1);
    });
    return;
  }
  const uint32_t chunks = (inner + kColumns - 1) / kColumns;
  each(team, outer * chunks, [&](uint32_t task) {
    const uint32_t i = task % chunks * kColumns;
    f(task / chunks, i, inner - i < kColumns ? inner - i : kColumns);
  });
}

// ---------------------------------------------------------------- forward

void reduce_forward(Team& team, const float* x, float* y, uint32_t outer, uint32_t axis, uint32_t inner, uint32_t fn) {
  const float scale = fn == kMean && axis > 0 ? 1.0f / float(axis) : 1.0f;
  each_output(team, outer, axis, inner, [&](uint32_t o, uint32_t i, uint32_t columns) {
    const float* from = x + size_t(o) * axis * inner + i;
    float* to = y + size_t(o) * inner + i;
    if (fn == kSum || fn == kMean) {
      if (inner == 1)
        *to = row_sum(from, axis);
      else
        column_sum(from, to, axis, inner, columns);
      for (uint32_t c = 0; c < columns; c++) to[c] *= scale;
    } else if (inner == 1)
      *to = row_max(from, axis);
    else
      column_max(from, to, axis, inner, columns);
  });
}

// ---------------------------------------------------------------- backward
// sum: dx = dy;   mean: dx = dy / axis

void reduce_backward(Team& team, const float* dy, float* dx, uint32_t outer, uint32_t axis, uint32_t inner, uint32_t fn) {
  const float scale = fn == kMean && axis > 0 ? 1.0f / float(axis) : 1.0f;
  each_output(team, outer, axis, inner, [&](uint32_t o, uint32_t i, uint32_t columns) {
    const float* from = dy + size_t(o) * inner + i;
    float* to = dx + size_t(o) * axis * inner + i;
    if (inner == 1)
      for (uint32_t k = 0; k < axis; k++) to[k] = *from * scale;
    else
      for (uint32_t k = 0; k < axis; k++)
        for (uint32_t c = 0; c < columns; c++) to[size_t(k) * inner + c] = from[c] * scale;
  });
}

void reduce_backward_max(Team& team, const float* dy, const float* x, const float* y, float* dx, uint32_t outer, uint32_t axis,
                         uint32_t inner) {
  each_output(team, outer, axis, inner, [&](uint32_t o, uint32_t i, uint32_t columns) {
    const size_t at = size_t(o) * inner + i, start = size_t(o) * axis * inner + i;
    bool found[kColumns] = {};
    for (uint32_t k = 0; k < axis; k++)
      for (uint32_t c = 0; c < columns; c++) {
        const size_t e = start + size_t(k) * inner + c;
        const bool chosen = !found[c] && x[e] == y[at + c];
        dx[e] = chosen ? dy[at + c] : 0.0f;
        found[c] = found[c] || chosen;
      }
  });
}

}  // namespace

EXPORT_KERNELS(reduce, KERNEL(reduce_forward), KERNEL(reduce_backward), KERNEL(reduce_backward_max))
