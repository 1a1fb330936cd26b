// Two tensors one after the other: y[o] = a[o] followed by b[o], runs of a_size and b_size elements of four bytes.
//
// Work split: one task is a run of whole o, about 16,384 elements.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

void concat_forward(Team& team, const float* a, const float* b, float* y, uint32_t outer, uint32_t a_size, uint32_t b_size) {
  const uint32_t size = a_size + b_size;
  each_range(team, outer, 16384 / (size + 1) + 1, [&](uint32_t begin, uint32_t end) {
    for (uint32_t o = begin; o < end; o++) {
      memcpy(y + size_t(o) * size, a + size_t(o) * a_size, a_size * sizeof(float));
      memcpy(y + size_t(o) * size + a_size, b + size_t(o) * b_size, b_size * sizeof(float));
    }
  });
}

}  // namespace

EXPORT_KERNELS(concat, KERNEL(concat_forward))
