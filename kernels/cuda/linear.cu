// Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o], and its three gradients.
//
// Work split, numerics and floors: product_f32.cuh, product_mma.cuh, product_hopper.cuh. The bias is added when a tile of y is
// complete, and so is what dx is joined with; dbias comes with dweight, from the blocks that read dy first. Nothing is saved
// beyond the inputs.
#include "dense.cuh"

namespace {

// ---------------------------------------------------------------- forward

template <class T>
void linear_forward(Launch& launch, Buffer<const T> x, Buffer<const T> weight, Buffer<const float> bias, Buffer<T> y,
                    Param<uint32_t> rows, Param<uint32_t> in, Param<uint32_t> out) {
  dense_forward(launch, x, weight, rows, in.most, out.most, AddBias<T>{y.data, bias.data, out.most});
}

// ---------------------------------------------------------------- backward

template <class T>
void linear_backward_input(Launch& launch, Buffer<const T> dy, Buffer<const T> weight, Buffer<T> dx, Param<uint32_t> rows,
                           Param<uint32_t> in, Param<uint32_t> out) {
  dense_input(launch, dy, weight, rows, in.most, out.most, Store<T>{dx.data, in.most});
}

template <class T>
void linear_backward_input_joined(Launch& launch, Buffer<const T> dy, Buffer<const T> weight, Buffer<const T> other, Buffer<T> dx,
                                  Param<uint32_t> rows, Param<uint32_t> in, Param<uint32_t> out, Param<uint32_t> join) {
  dense_input(launch, dy, weight, rows, in.most, out.most, Joined<T>{dx.data, other.data, in.most, Join(join.most)});
}

template <class T>
void linear_backward_weight(Launch& launch, Buffer<const T> dy, Buffer<const T> x, Buffer<float> dweight, Buffer<float> dbias,
                            Param<uint32_t> rows, Param<uint32_t> in, Param<uint32_t> out) {
  dense_weight(launch, dy, x, dweight, dbias, rows, in.most, out.most);
}

}  // namespace

EXPORT_KERNELS(linear, KERNELS(linear_forward), KERNELS(linear_backward_input), KERNELS(linear_backward_input_joined),
               KERNELS(linear_backward_weight))
