// y[i] = value. One task is 16,384 elements.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

template <class T>
void fill_forward(Team& team, T* y, uint32_t count, float value) {
  const V v = set1(value);
  each_range(team, count, 16384, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) { store_n(y + begin + i, v, n); });
  });
}

}  // namespace

EXPORT_KERNELS(fill, KERNELS(fill_forward))
