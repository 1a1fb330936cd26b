// Chooses by element with broadcasting: y = cond != 0 ? a : b, each operand walked by its own four strides.
//
// Work split: y is a list of d0 x d1 x d2 lines of d3 elements; one task is about 16,384 elements, several short lines
// or a piece of a long one. `mask` takes the sign away from a condition that is a float.
#include "kernel.h"

namespace {

constexpr uint32_t kPiece = 16384;

// ---------------------------------------------------------------- forward

void where_forward(Team& team, const uint32_t* cond, const float* a, const float* b, float* y, uint32_t d0, uint32_t d1,
                   uint32_t d2, uint32_t d3, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t a0, uint32_t a1,
                   uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1, uint32_t b2, uint32_t b3, uint32_t mask) {
  const uint32_t lines = d0 * d1 * d2, pieces = (d3 + kPiece - 1) / kPiece;
  const uint32_t together = pieces > 1 ? 1 : kPiece / (d3 + 1) + 1;
  const uint32_t groups = (lines + together - 1) / together;
  each(team, groups * pieces, [&](uint32_t task) {
    const uint32_t from = task % pieces * kPiece, n = d3 - from < kPiece ? d3 - from : kPiece;
    const uint32_t begin = task / pieces * together, end = lines - begin < together ? lines : begin + together;
    for (uint32_t l = begin; l < end; l++) {
      const size_t i2 = l % d2, i1 = l / d2 % d1, i0 = l / d2 / d1, i3 = from;
      const uint32_t* pc = cond + i0 * c0 + i1 * c1 + i2 * c2 + i3 * c3;
      const float* pa = a + i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3;
      const float* pb = b + i0 * b0 + i1 * b1 + i2 * b2 + i3 * b3;
      float* to = y + size_t(l) * d3 + from;
      for (uint32_t i = 0; i < n; i++) to[i] = (pc[size_t(i) * c3] & mask) != 0 ? pa[size_t(i) * a3] : pb[size_t(i) * b3];
    }
  });
}

}  // namespace

EXPORT_KERNELS(where, KERNEL(where_forward))
