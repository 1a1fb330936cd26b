// y[i] = x[i] * factor. One task is 16,384 elements.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

void scale_forward(Team& team, const float* x, float* y, uint32_t count, float factor) {
  const V f = set1(factor);
  each_range(team, count, 16384, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) { store_n(y + begin + i, load_n(x + begin + i, n) * f, n); });
  });
}

}  // namespace

EXPORT_KERNELS(scale, KERNEL(scale_forward))
