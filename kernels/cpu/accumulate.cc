// y[i] += x[i]. One task is 16,384 elements.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

void accumulate_forward(Team& team, const float* x, float* y, uint32_t count) {
  each_range(team, count, 16384, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) {
      float* p = y + begin + i;
      store_n(p, load_n(p, n) + load_n(x + begin + i, n), n);
    });
  });
}

}  // namespace

EXPORT_KERNELS(accumulate, KERNEL(accumulate_forward))
