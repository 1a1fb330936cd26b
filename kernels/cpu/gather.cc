// Rows by index: y[m,h] = x[index[m],h]; a row of zeros where the index is none of x.
//
// Work split: forward, one task is a run of picks. Backward, several picks may meet in one row: one task owns 64
// columns of all rows and adds the picks in order.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

template <class T>
void gather_forward(Team& team, const T* x, const uint32_t* index, T* y, uint32_t rows, uint32_t picks, uint32_t hidden) {
  each_range(team, picks, 16384 / (hidden + 1) + 1, [&](uint32_t begin, uint32_t end) {
    for (uint32_t m = begin; m < end; m++) {
      T* to = y + size_t(m) * hidden;
      if (index[m] < rows)  // a negative index is a large one
        memcpy(to, x + size_t(index[m]) * hidden, hidden * sizeof(T));
      else
        memset(to, 0, hidden * sizeof(T));
    }
  });
}

// ---------------------------------------------------------------- backward

template <class T>
void gather_backward(Team& team, const T* dy, const uint32_t* index, T* dx, uint32_t rows, uint32_t picks, uint32_t hidden) {
  each_range(team, hidden, 64, [&](uint32_t begin, uint32_t end) {
    for (uint32_t m = 0; m < picks; m++) {
      if (index[m] >= rows) continue;
      const T* from = dy + size_t(m) * hidden + begin;
      T* to = dx + size_t(index[m]) * hidden + begin;
      vectors(end - begin, [&](uint32_t i, uint32_t n) { store_n(to + i, load_n(to + i, n) + load_n(from + i, n), n); });
    }
  });
}

}  // namespace

EXPORT_KERNELS(gather, KERNELS(gather_forward), KERNELS(gather_backward))
