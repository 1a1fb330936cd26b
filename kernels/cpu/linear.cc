// Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o], and its three gradients.
//
// Work split and numerics: see dense.h, gemm.h, for a weight of 8 bits int8_gemm.h. The bias is added when a tile of y is
// complete, and so is what dx is joined with. dbias sums the rows of dy in order, one task per 256 columns. Nothing is saved
// beyond the inputs.
#include "dense.h"
#include "int8_gemm.h"
#include "kernel.h"

namespace {

constexpr uint32_t kBiasColumns = 256, kBiasRows = 4;  // of dy at a time: whole stretches of a few rows

struct AddBias {
  const float* bias;
  V operator()(V v, uint32_t, uint32_t column, uint32_t n) const { return v + load_n(bias + column, n); }
};

// The order of JOINS in src/ops/linear.ts.
enum Join : uint32_t { kAdd, kGeluTanh, kGeluErf };

// What becomes of a product and the same element of `other`, of as many columns.
template <Join join, class T>
struct Joined {
  const T* other;
  uint32_t columns;
  V operator()(V v, uint32_t row, uint32_t column, uint32_t n) const {
    const V o = load_n(other + size_t(row) * columns + column, n);
    return join == kAdd ? v + o : v * (join == kGeluErf ? gelu_erf_derivative(o) : gelu_derivative(o));
  }
};

// ---------------------------------------------------------------- forward

template <class T>
void linear_forward(Team& team, const T* x, const float* weight, const float* bias, T* y, uint32_t rows, uint32_t in, uint32_t out) {
  dense_forward(team, rows, out, in, x, weight, y, AddBias{bias});
}

void linear_forward_int8(Team& team, const float* x, const int8_t* weight, const float* bias, float* y, uint32_t rows, uint32_t in,
                         uint32_t out) {
  int8_gemm(team, rows, out, in, x, weight, y, AddBias{bias});
}

// ---------------------------------------------------------------- backward

template <class T>
void linear_backward_input(Team& team, const T* dy, const float* weight, T* dx, uint32_t rows, uint32_t in, uint32_t out) {
  dense_input(team, rows, out, in, dy, weight, dx);
}

template <class T>
void linear_backward_input_joined(Team& team, const T* dy, const float* weight, const T* other, T* dx, uint32_t rows, uint32_t in,
                                  uint32_t out, uint32_t join) {
  const auto product = [&](auto epilogue) { dense_input(team, rows, out, in, dy, weight, dx, epilogue); };
  if (join == kAdd)
    product(Joined<kAdd, T>{other, in});
  else if (join == kGeluErf)
    product(Joined<kGeluErf, T>{other, in});
  else
    product(Joined<kGeluTanh, T>{other, in});
}

template <class T>
void linear_backward_weight(Team& team, const T* dy, const T* x, float* dweight, float* dbias, uint32_t rows, uint32_t in,
                            uint32_t out) {
  dense_weight(team, rows, out, in, dy, x, dweight);
  each_range(team, out, kBiasColumns, [&](uint32_t begin, uint32_t end) {
    float sums[kBiasColumns] = {};
    const uint32_t columns = end - begin;
    for (uint32_t r = 0; r < rows; r += kBiasRows) {
      const uint32_t m = rows - r < kBiasRows ? rows - r : kBiasRows;
      const T* d = dy + size_t(r) * out + begin;
      vectors(columns, [&](uint32_t i, uint32_t n) {
        V s = load_n(sums + i, n);
        for (uint32_t q = 0; q < m; q++) s = s + load_n(d + size_t(q) * out + i, n);
        store_n(sums + i, s, n);
      });
    }
    vectors(columns, [&](uint32_t i, uint32_t n) {
      store_n(dbias + begin + i, load_n(dbias + begin + i, n) + load_n(sums + i, n), n);
    });
  });
}

}  // namespace

#if defined(BIOALBERT_INT8_ONLY)  // all others are the base's
EXPORT_KERNELS(linear, KERNEL(linear_forward_int8))
#else
EXPORT_KERNELS(linear, KERNELS(linear_forward), KERNEL(linear_forward_int8), KERNELS(linear_backward_input),
               KERNELS(linear_backward_input_joined), KERNELS(linear_backward_weight))
#endif
