// Sums rows by index: y[n,h] = sum over m with index[m] = n of x[m,h]; rows that no index names are zero, an index below 0 or
// past the last row drops its x. Work split and order of sums: pick_sums.cuh. The floor is the bytes of x and y.
#include "pick_sums.cuh"

namespace {

// ---------------------------------------------------------------- forward

void scatter_add_forward(Launch& launch, Buffer<const float> x, Buffer<const uint32_t> index, Buffer<float> y, Param<uint32_t> rows,
                         Param<uint32_t> picks, Param<uint32_t> hidden) {
  record_pick_sums<true>(launch, x, index, y, rows, picks, hidden.most);
}

}  // namespace

EXPORT_KERNELS(scatter_add, KERNEL(scatter_add_forward))
