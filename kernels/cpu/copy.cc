// Strided view to contiguous tensor: y[i0,i1,i2,i3] = x[offset + i0 s0 + i1 s1 + i2 s2 + i3 s3].
//
// Work split: forward, one task is 16 of the d0 x d1 x d2 lines. Backward adds onto x, where several lines may meet
// (a stride of 0 repeats): one task owns the lines of one index of a dimension that no two lines share in memory, and
// if there is none (everything is repeated), one task does all.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

template <class T>
void copy_forward(Team& team, const T* x, T* y, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3, int32_t s0, int32_t s1,
                  int32_t s2, int32_t s3, uint32_t offset) {
  const uint32_t size = 16384 / (d3 ? d3 : 1) + 1;
  each_range(team, d0 * d1 * d2, size, [&](uint32_t begin, uint32_t end) {
    for (uint32_t line = begin; line < end; line++) {
      const uint32_t i2 = line % d2, i1 = line / d2 % d1, i0 = line / d2 / d1;
      const T* from = x + offset + ptrdiff_t(i0) * s0 + ptrdiff_t(i1) * s1 + ptrdiff_t(i2) * s2;
      T* to = y + size_t(line) * d3;
      if (s3 == 1)
        memcpy(to, from, d3 * sizeof(T));
      else
        for (uint32_t i = 0; i < d3; i++) to[i] = from[ptrdiff_t(i) * s3];
    }
  });
}

// ---------------------------------------------------------------- backward

template <class T>
void copy_backward(Team& team, const T* dy, T* dx, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3, int32_t s0,
                   int32_t s1, int32_t s2, int32_t s3, uint32_t offset) {
  const uint32_t d[4] = {d0, d1, d2, d3};
  const int32_t s[4] = {s0, s1, s2, s3};
  // the dimension of the largest stride parts the memory if the others together stay within that stride
  uint32_t split = 4;
  for (uint32_t k = 0; k < 4; k++) {
    if (d[k] < 2 || s[k] <= 0) continue;
    int64_t reach = 0;
    for (uint32_t j = 0; j < 4; j++) reach += j == k ? 0 : int64_t(d[j] - 1) * (s[j] < 0 ? -s[j] : s[j]);
    if (reach < s[k] && (split == 4 || s[k] > s[split])) split = k;
  }
  const uint32_t parts = split == 4 ? 1 : d[split];
  each(team, parts, [&](uint32_t part) {
    uint32_t lo[4] = {0, 0, 0, 0}, hi[4] = {d0, d1, d2, d3};
    if (split < 4) lo[split] = part, hi[split] = part + 1;
    for (uint32_t i0 = lo[0]; i0 < hi[0]; i0++)
      for (uint32_t i1 = lo[1]; i1 < hi[1]; i1++)
        for (uint32_t i2 = lo[2]; i2 < hi[2]; i2++) {
          const T* from = dy + ((size_t(i0) * d1 + i1) * d2 + i2) * d3;
          T* to = dx + offset + ptrdiff_t(i0) * s0 + ptrdiff_t(i1) * s1 + ptrdiff_t(i2) * s2;
          for (uint32_t i3 = lo[3]; i3 < hi[3]; i3++) {
            T* at = to + ptrdiff_t(i3) * s3;
            put(at, to_float(*at) + to_float(from[i3]));
          }
        }
  });
}

}  // namespace

EXPORT_KERNELS(copy, KERNELS(copy_forward), KERNELS(copy_backward))
