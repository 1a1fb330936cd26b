// y[i] += x[i]. One task is 16,384 elements.
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

template <class T>
void accumulate_forward(Team& team, const T* x, T* y, uint32_t count) {
  each_range(team, count, 16384, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) {
      T* p = y + begin + i;
      store_n(p, load_n(p, n) + load_n(x + begin + i, n), n);
    });
  });
}

}  // namespace

EXPORT_KERNELS(accumulate, KERNELS(accumulate_forward))
