// Sums rows by index: y[n,h] = sum over m with index[m] = n of x[m,h].
//
// Work split: several m may meet in one row of y: one task owns 64 columns of all rows and adds the m in order.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

void scatter_add_forward(Team& team, const float* x, const uint32_t* index, float* y, uint32_t rows, uint32_t picks,
                         uint32_t hidden) {
  each_range(team, hidden, 64, [&](uint32_t begin, uint32_t end) {
    for (uint32_t r = 0; r < rows; r++) memset(y + size_t(r) * hidden + begin, 0, (end - begin) * sizeof(float));
    for (uint32_t m = 0; m < picks; m++) {
      if (index[m] >= rows) continue;  // a negative index is a large one
      const float* from = x + size_t(m) * hidden + begin;
      float* to = y + size_t(index[m]) * hidden + begin;
      vectors(end - begin, [&](uint32_t i, uint32_t n) { store_n(to + i, load_n(to + i, n) + load_n(from + i, n), n); });
    }
  });
}

}  // namespace

EXPORT_KERNELS(scatter_add, KERNEL(scatter_add_forward))
