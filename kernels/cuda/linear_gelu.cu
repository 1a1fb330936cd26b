// Dense layer with GELU: z[n,o] = sum_i x[n,i] weight[o,i] + bias[o], y = gelu(z) in the tanh or the erf form.
//
// The activation is applied to a tile of z when it is complete (product_f32.cuh, product_mma.cuh). With `save` z is saved for
// backward, which turns dy into dz in one pass and then uses the gradients of linear; without it z has no elements.
// Work split of that pass: a thread takes runs of 16 bytes, in a grid-stride loop. Floor: three activations over the bandwidth.
#include "dense.cuh"

namespace {

constexpr uint32_t kThreads = 256;

// ---------------------------------------------------------------- forward

template <class T>
void linear_gelu_forward(Launch& launch, Buffer<const T> x, Buffer<const T> weight, Buffer<const float> bias, Buffer<T> y, Buffer<T> z,
                         Param<uint32_t> rows, Param<uint32_t> in, Param<uint32_t> out, Param<uint32_t> form, Param<uint32_t> save) {
  const AddBiasGelu<T> epilogue{y.data, z.data, bias.data, out.most, GeluForm(form.most), save.most != 0};
  dense_forward(launch, x, weight, rows, in.most, out.most, epilogue);
}

// ---------------------------------------------------------------- backward

template <class T, GeluForm form, uint32_t kN>
__global__ void __launch_bounds__(kThreads)
gelu_backward(const T* __restrict__ dy, const T* __restrict__ z, T* __restrict__ dz, Param<uint32_t> rows, uint32_t out) {
  const size_t runs = (size_t(rows()) * out + kN - 1) / kN, step = size_t(gridDim.x) * kThreads;
  for (size_t i = size_t(blockIdx.x) * kThreads + threadIdx.x; i < runs; i += step) {
    float d[kN], v[kN];
    load_run<kN>(dy + i * kN, d);
    load_run<kN>(z + i * kN, v);
#pragma unroll
    for (uint32_t j = 0; j < kN; j++) d[j] *= gelu_derivative<form, sizeof(T) == 2>(v[j]);
    store_run<kN>(dz + i * kN, d);
  }
}

template <class T, uint32_t kN>
inline void record_backward(Launch& launch, const T* dy, const T* z, Buffer<T> dz, Param<uint32_t> rows, uint32_t out, GeluForm form) {
  launch(form == kErfForm ? gelu_backward<T, kErfForm, kN> : gelu_backward<T, kTanhForm, kN>, blocks_for(launch, dz.size / kN, kThreads),
         kThreads, 0, dy, z, dz.data, rows, out);
}

template <class T>
void linear_gelu_backward_activation(Launch& launch, Buffer<const T> dy, Buffer<const T> z, Buffer<T> dz, Param<uint32_t> rows,
                                     Param<uint32_t> out, Param<uint32_t> form) {
  constexpr uint32_t kRun = 16 / sizeof(T);
  if (out.most % kRun == 0 && aligned_16(dy.data) && aligned_16(z.data) && aligned_16(dz.data))
    record_backward<T, kRun>(launch, dy.data, z.data, dz, rows, out.most, GeluForm(form.most));
  else
    record_backward<T, 1>(launch, dy.data, z.data, dz, rows, out.most, GeluForm(form.most));
}

}  // namespace

EXPORT_KERNELS(linear_gelu, KERNELS(linear_gelu_forward), KERNELS(linear_gelu_backward_activation))
