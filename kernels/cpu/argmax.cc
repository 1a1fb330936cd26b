// Place of the maximum over the middle axis: y[o,i] = the lowest k with the largest x[o,k,i]. A NaN counts as larger than
// everything; of an empty axis the place is -1.
//
// Work split: with inner > 1 one task is 64 neighbouring outputs of one o; with inner = 1 one task is a run of whole rows.
// A row goes by in blocks whose maximum is taken in vectors; only a block that has something larger than what is known, or
// a NaN, is looked through one by one.
#include "kernel.h"

namespace {

constexpr uint32_t kColumns = 64, kBlock = 16 * W;

inline bool beats(float a, float best) { return a > best || (a != a && best == best); }

int32_t row_place(const float* x, uint32_t n) {
  if (n == 0) return -1;
  uint32_t place = 0;
  for (uint32_t k = 0; k < n && x[place] == x[place]; k += kBlock) {
    const uint32_t m = n - k < kBlock ? n - k : kBlock;
    V most = set1(-INFINITY), odd = zero();
    // what is behind the row counts as 0, and an infinity as a NaN: both cost a look at most
    vectors(m, [&](uint32_t i, uint32_t c) {
      const V v = load_n(x + k + i, c);
      most = max(most, v);
      odd = fma(v, zero(), odd);
    });
    if (!(largest(most) > x[place]) && sum(odd) == 0.0f) continue;
    for (uint32_t i = k; i < k + m; i++)
      if (beats(x[i], x[place])) place = i;
  }
  return int32_t(place);
}

// Outputs that lie side by side.
void column_places(const float* x, int32_t* y, uint32_t axis, uint32_t inner, uint32_t columns) {
  float best[kColumns];
  for (uint32_t i = 0; i < columns; i++) best[i] = axis > 0 ? x[i] : 0.0f, y[i] = axis > 0 ? 0 : -1;
  for (uint32_t k = 1; k < axis; k++)
    for (uint32_t i = 0; i < columns; i++) {
      const float v = x[size_t(k) * inner + i];
      const bool better = beats(v, best[i]);
      best[i] = better ? v : best[i];
      y[i] = better ? int32_t(k) : y[i];
    }
}

// ---------------------------------------------------------------- forward

void argmax_forward(Team& team, const float* x, int32_t* y, uint32_t outer, uint32_t axis, uint32_t inner) {
  if (inner == 1) {
    each_range(team, outer, 16384 / (axis + 1) + 1, [&](uint32_t begin, uint32_t end) {
      for (uint32_t o = begin; o < end; o++) y[o] = row_place(x + size_t(o) * axis, axis);
    });
    return;
  }
  const uint32_t chunks = (inner + kColumns - 1) / kColumns;
  each(team, outer * chunks, [&](uint32_t task) {
    const uint32_t o = task / chunks, i = task % chunks * kColumns;
    const uint32_t columns = inner - i < kColumns ? inner - i : kColumns;
    column_places(x + size_t(o) * axis * inner + i, y + size_t(o) * inner + i, axis, inner, columns);
  });
}

}  // namespace

EXPORT_KERNELS(argmax, KERNEL(argmax_forward))
