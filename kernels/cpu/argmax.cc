// Place of the maximum over the middle axis: y[o,i] = the lowest k with the largest x[o,k,i]. A NaN counts as larger than
// everything; of an empty axis the place is -1.
//
// Work split: with inner > 1 one task is 64 neighbouring outputs of one o; with inner = 1 one task is a run of whole rows.
// A row goes by in blocks whose maximum is taken in vectors; only a block that has something larger than what is known, or
// a NaN, is then looked through one by one.
#include "kernel.h"

namespace {

constexpr uint32_t kColumns = 64, kBlock = 16 * W;

inline bool beats(float a, float best) { return a > best || (a != a && best == best); }

// The largest of n values, at most kBlock; `odd` is set where one of them may be a NaN (an infinity looks like one).
float block_max(const float* x, uint32_t n, bool& odd) {
  const V low = set1(-INFINITY);
  V m0 = low, m1 = low, m2 = low, m3 = low, z0 = zero(), z1 = zero(), z2 = zero(), z3 = zero();
  const auto take = [&](V v, V& m, V& z) {
    m = max(m, v);
    z = fma(v, zero(), z);
  };
  uint32_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {  // in four chains: one alone waits for itself
    take(load(x + i), m0, z0);
    take(load(x + i + W), m1, z1);
    take(load(x + i + 2 * W), m2, z2);
    take(load(x + i + 3 * W), m3, z3);
  }
  float most = largest(max(max(m0, m1), max(m2, m3)));
  for (; i < n; i++) {
    most = x[i] > most ? x[i] : most;
    odd |= x[i] != x[i];
  }
  odd |= sum((z0 + z1) + (z2 + z3)) != 0.0f;
  return most;
}

int32_t row_place(const float* x, uint32_t n) {
  if (n == 0) return -1;
  uint32_t place = 0;
  float best = x[0];
  for (uint32_t k = 0; k < n && best == best; k += kBlock) {
    const uint32_t end = n - k < kBlock ? n : k + kBlock;
    bool odd = false;
    const float most = block_max(x + k, end - k, odd);
    if (odd) {
      for (uint32_t i = k; i < end; i++)
        if (beats(x[i], best)) place = i, best = x[i];
    } else if (most > best) {
      for (place = k; x[place] != most; place++) {
      }
      best = most;
    }
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
