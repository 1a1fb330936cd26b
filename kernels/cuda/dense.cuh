// Products of a dense layer for each type in which activations are stored, under one name:
//
//   dense_forward   y[rows,out] = x[rows,in] weight^T, dense_input   dx[rows,in] = dy[rows,out] weight,
//   dense_weight    dweight[out,in] += dy^T x and dbias[out] += dy summed over the rows (always f32)
//
// f32: `weight` is the matrix [out,in] itself. bf16: what pack.cu wrote, the same matrix rounded; all three products read it
// as it lies. `rows` is a size of the run; buffers tell how many there may be.
#pragma once
#include "product.cuh"

namespace {

template <class T, class Epilogue>
inline void dense_forward(Launch& launch, Buffer<const T> x, Buffer<const T> weight, Param<uint32_t> rows, uint32_t in, uint32_t out,
                          const Epilogue& epilogue) {
  Product<T> p;
  p.a = x.data, p.b = weight.data;
  p.a_pitch = p.b_pitch = p.k = constant(in);
  p.m = rows, p.n = out;
  p.most_m = uint32_t(x.size / in), p.most_k = in;
  product<true, true>(launch, p, epilogue);
}

template <class T, class Epilogue>
inline void dense_input(Launch& launch, Buffer<const T> dy, Buffer<const T> weight, Param<uint32_t> rows, uint32_t in, uint32_t out,
                        const Epilogue& epilogue) {
  Product<T> p;
  p.a = dy.data, p.b = weight.data;
  p.a_pitch = p.k = constant(out), p.b_pitch = constant(in);
  p.m = rows, p.n = in;
  p.most_m = uint32_t(dy.size / out), p.most_k = out;
  product<true, false>(launch, p, epilogue);
}

template <class T>
inline void dense_weight(Launch& launch, Buffer<const T> dy, Buffer<const T> x, Buffer<float> dweight, Buffer<float> dbias,
                         Param<uint32_t> rows, uint32_t in, uint32_t out) {
  Product<T> p;
  p.a = dy.data, p.b = x.data;
  p.a_pitch = p.m = constant(out), p.b_pitch = constant(in);
  p.n = in, p.k = rows;
  p.most_m = out, p.most_k = uint32_t(dy.size / out);
  p.sums = dbias.data;
  product<false, false, true>(launch, p, Accumulate{dweight.data, in});
}

}  // namespace
