// Dense layer with GELU: z[n,o] = sum_i x[n,i] weight[o,i] + bias[o], y = gelu(z) in the tanh or the erf form.
//
// The activation is applied to a tile of z when it is complete, while it is in registers. With `save` z is saved for
// backward, which turns dy into dz in one pass and then uses the gradients of linear; without it z has no elements.
#include "dense.h"
#include "int8_gemm.h"
#include "kernel.h"

namespace {

// The order of GELU_FORMS in src/ops/linear_gelu.ts.
enum Form : uint32_t { kTanhForm, kErfForm };

template <Form form, bool save, class T>
struct AddBiasGelu {
  const float* bias;
  T* z;
  uint32_t out;
  V operator()(V v, uint32_t row, uint32_t column, uint32_t n) const {
    const V pre = v + load_n(bias + column, n);
    if (save) store_n(z + size_t(row) * out + column, pre, n);
    return form == kErfForm ? gelu_erf(pre) : gelu(pre);
  }
};

// Calls product(epilogue).
template <class T, class F>
inline void with_gelu(const float* bias, T* z, uint32_t out, uint32_t form, uint32_t save, F product) {
  if (form == kErfForm && save)
    product(AddBiasGelu<kErfForm, true, T>{bias, z, out});
  else if (form == kErfForm)
    product(AddBiasGelu<kErfForm, false, T>{bias, z, out});
  else if (save)
    product(AddBiasGelu<kTanhForm, true, T>{bias, z, out});
  else
    product(AddBiasGelu<kTanhForm, false, T>{bias, z, out});
}

// ---------------------------------------------------------------- forward

template <class T>
void linear_gelu_forward(Team& team, const T* x, const float* weight, const float* bias, T* y, T* z, uint32_t rows, uint32_t in,
                         uint32_t out, uint32_t form, uint32_t save) {
  with_gelu(bias, z, out, form, save, [&](auto epilogue) { dense_forward(team, rows, out, in, x, weight, y, epilogue); });
}

void linear_gelu_forward_int8(Team& team, const float* x, const int8_t* weight, const float* bias, float* y, float* z, uint32_t rows,
                              uint32_t in, uint32_t out, uint32_t form, uint32_t save) {
  with_gelu(bias, z, out, form, save, [&](auto epilogue) { int8_gemm(team, rows, out, in, x, weight, y, epilogue); });
}

// ---------------------------------------------------------------- backward

template <class T>
void linear_gelu_backward_activation(Team& team, const T* dy, const T* z, T* dz, uint32_t rows, uint32_t out, uint32_t form) {
  const auto multiply = [&](auto derivative) {
    each_range(team, rows * out, 8192, [&](uint32_t begin, uint32_t end) {
      vectors(end - begin, [&](uint32_t i, uint32_t n) {
        store_n(dz + begin + i, load_n(dy + begin + i, n) * derivative(load_n(z + begin + i, n)), n);
      });
    });
  };
  if (form == kErfForm)
    multiply([](V v) { return gelu_erf_derivative(v); });
  else
    multiply([](V v) { return gelu_derivative(v); });
}

}  // namespace

#if defined(BIOALBERT_INT8_ONLY)  // all others are the base's
EXPORT_KERNELS(linear_gelu, KERNEL(linear_gelu_forward_int8))
#else
EXPORT_KERNELS(linear_gelu, KERNELS(linear_gelu_forward), KERNEL(linear_gelu_forward_int8),
               KERNELS(linear_gelu_backward_activation))
#endif
