// Running sums along the middle axis: y[o,k,i] = sum of x[o,j,i] over j <= k, or over j >= k (`reverse`).
//
// Work split: with inner > 1 one task is four vectors of neighbouring columns of one o, walking k; with inner = 1 one
// task is a run of whole rows, four at a time, because one chain of additions waits for itself.
// Numerics: as sums in reduce.cc, in blocks of 256 terms whose totals are added up, so the error grows with the number of
// blocks, not of terms.
#include "kernel.h"

namespace {

constexpr uint32_t kVectors = 4, kColumns = kVectors * W, kBlock = 256;

// `rows` rows of n that lie one after the other.
template <uint32_t rows>
void row_sums(const float* x, float* y, uint32_t n, bool reverse) {
  float total[rows] = {};
  for (uint32_t k = 0; k < n; k += kBlock) {
    float s[rows] = {};
    const uint32_t end = n - k < kBlock ? n : k + kBlock;
    for (uint32_t j = k; j < end; j++) {
      const size_t at = reverse ? n - 1 - j : j;
      for (uint32_t r = 0; r < rows; r++) {
        s[r] += x[size_t(r) * n + at];
        y[size_t(r) * n + at] = total[r] + s[r];
      }
    }
    for (uint32_t r = 0; r < rows; r++) total[r] += s[r];
  }
}

// At most kColumns columns that lie side by side; x and y walk down by `inner`.
void column_sums(const float* x, float* y, uint32_t axis, uint32_t inner, uint32_t columns, bool reverse) {
  constexpr uint32_t kAhead = 8;  // lines
  V total[kVectors], s[kVectors];
  for (V& v : total) v = zero();
  const auto walk = [&](auto take, auto put) {
    for (uint32_t k = 0; k < axis; k += kBlock) {
      for (V& v : s) v = zero();
      const uint32_t end = axis - k < kBlock ? axis : k + kBlock;
      for (uint32_t j = k; j < end; j++) {
        const size_t line = size_t(reverse ? axis - 1 - j : j) * inner;
        if (j + kAhead < axis) {
          const size_t ahead = size_t(reverse ? axis - 1 - j - kAhead : j + kAhead) * inner;
          prefetch(x + ahead, columns);
          prefetch<true>(y + ahead, columns);
        }
        for (uint32_t c = 0; c < kVectors; c++) {
          s[c] = s[c] + take(x + line + c * W, c);
          put(y + line + c * W, total[c] + s[c], c);
        }
      }
      for (uint32_t c = 0; c < kVectors; c++) total[c] = total[c] + s[c];
    }
  };
  if (columns == kColumns)
    return walk([](const float* p, uint32_t) { return load(p); }, [](float* p, V v, uint32_t) { store(p, v); });
  const auto lanes = [&](uint32_t c) { return columns > c * W ? columns - c * W : 0; };
  walk([&](const float* p, uint32_t c) { return lanes(c) ? load_n(p, lanes(c)) : zero(); },
       [&](float* p, V v, uint32_t c) {
         if (lanes(c)) store_n(p, v, lanes(c));
       });
}

// ---------------------------------------------------------------- forward

void cumsum_forward(Team& team, const float* x, float* y, uint32_t outer, uint32_t axis, uint32_t inner, uint32_t reverse) {
  if (inner == 1) {
    constexpr uint32_t kRows = 4;
    const uint32_t size = (4096 / (axis + 1) + 1) * kRows;
    each_range(team, outer, size, [&](uint32_t begin, uint32_t end) {
      uint32_t o = begin;
      for (; o + kRows <= end; o += kRows) row_sums<kRows>(x + size_t(o) * axis, y + size_t(o) * axis, axis, reverse);
      for (; o < end; o++) row_sums<1>(x + size_t(o) * axis, y + size_t(o) * axis, axis, reverse);
    });
    return;
  }
  const uint32_t chunks = (inner + kColumns - 1) / kColumns;
  each(team, outer * chunks, [&](uint32_t task) {
    const uint32_t o = task / chunks, i = task % chunks * kColumns;
    const size_t start = size_t(o) * axis * inner + i;
    column_sums(x + start, y + start, axis, inner, inner - i < kColumns ? inner - i : kColumns, reverse);
  });
}

}  // namespace

EXPORT_KERNELS(cumsum, KERNEL(cumsum_forward))
