// Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o], and its three gradients.
//
// Work split and numerics: see gemm.h. The bias is added when a tile of y is complete. dbias sums the rows of dy in order,
// one task per 64 columns. Nothing is saved beyond the inputs.
#include "gemm.h"
#include "kernel.h"

namespace {

struct AddBias {
  const float* bias;
  V operator()(V v, uint32_t, uint32_t column, uint32_t n) const { return v + load_n(bias + column, n); }
};

// ---------------------------------------------------------------- forward

void linear_forward(Team& team, const float* x, const float* weight, const float* bias, float* y, uint32_t rows, uint32_t in,
                    uint32_t out) {
  gemm(team, rows, out, in, rows_of(x, in), transposed(weight, in), y, out, false, AddBias{bias});
}

// ---------------------------------------------------------------- backward

void linear_backward_input(Team& team, const float* dy, const float* weight, float* dx, uint32_t rows, uint32_t in, uint32_t out) {
  gemm(team, rows, in, out, rows_of(dy, out), rows_of(weight, in), dx, in, false);
}

void linear_backward_weight(Team& team, const float* dy, const float* x, float* dweight, float* dbias, uint32_t rows, uint32_t in,
                            uint32_t out) {
  gemm(team, out, in, rows, transposed(dy, out), rows_of(x, in), dweight, in, true);
  each_range(team, out, 64, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) {
      V s = zero();
      for (uint32_t r = 0; r < rows; r++) s = s + load_n(dy + size_t(r) * out + begin + i, n);
      store_n(dbias + begin + i, load_n(dbias + begin + i, n) + s, n);
    });
  });
}

}  // namespace

EXPORT_KERNELS(linear, KERNEL(linear_forward), KERNEL(linear_backward_input), KERNEL(linear_backward_weight))
