// Dropout, residual and layer normalisation (the end of attention and of the feed-forward half of a block):
//
//   sum[n] = residual[n] + dropout(x[n]),   y[n] = LN(sum[n]) weight + bias,   all [rows, hidden]
//
// Work split and numerics: row_norm.cuh. Saved for backward: sum, mean, rstd; the dropout mask is drawn again. In bf16 the
// sum is rounded before it is normalised, so that forward and backward speak of the same numbers.
// Floor: four elements moved for each, forward (x, residual, y, sum) and backward (dy, sum, dx, dresidual): 16 bytes in f32,
// 8 in bf16.
#include "row_dropout.cuh"
#include "row_norm.cuh"

namespace {

// Elements of a 16-byte access.
template <class T>
constexpr uint32_t kN = 16 / sizeof(T);

// ---------------------------------------------------------------- forward

template <class T>
struct AddedRow {
  const T* __restrict__ x;
  const T* __restrict__ residual;
  T* __restrict__ y;
  T* sum;
  uint32_t hidden;
  DropoutParams dropout;

  using Value = T;
  using Key = Nothing;
  template <uint32_t N>
  struct Load {
    Pack<T, N> x, residual;
  };

  __device__ __forceinline__ DropoutSite site() const { return dropout.site(); }
  __device__ __forceinline__ Key key(uint32_t) const { return {}; }
  template <uint32_t N>
  __device__ __forceinline__ Load<N> load(Key, uint32_t n, uint32_t h) const {
    const size_t at = size_t(n) * hidden + h;
    return {Pack<T, N>::load(x + at), Pack<T, N>::load(residual + at)};
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<T, N> value(const DropoutSite& site, uint32_t n, uint32_t h, const Load<N>& loaded) const {
    float v[N];
#pragma unroll
    for (uint32_t i = 0; i < N; i++) v[i] = loaded.x[i];
    drop(site, n, h, v);
#pragma unroll
    for (uint32_t i = 0; i < N; i++) v[i] += loaded.residual[i];
    const auto s = Pack<T, N>::of(v);
    s.store(sum + size_t(n) * hidden + h);
    return s;
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<T, N> again(Key, uint32_t n, uint32_t h) const {
    return Pack<T, N>::load(sum + size_t(n) * hidden + h);
  }
  template <uint32_t N>
  __device__ __forceinline__ void store(const DropoutSite&, uint32_t n, uint32_t h, const float (&v)[N]) const {
    Pack<T, N>::of(v).store(y + size_t(n) * hidden + h);
  }
};

template <class T>
void dropout_add_layernorm_forward(Launch& launch, Buffer<const T> x, Buffer<const T> residual, Buffer<const float> weight,
                                   Buffer<const float> bias, Buffer<T> y, Buffer<T> sum, Buffer<float> mean, Buffer<float> rstd,
                                   Param<uint32_t> rows, Param<uint32_t> hidden, Param<float> eps, Param<float> p,
                                   Param<uint32_t> seed, Param<uint32_t> draw, Param<uint32_t> stream, Param<uint32_t> layer) {
  const bool wide = hidden.most % kN<T> == 0 && all_aligned_16(x.data, residual.data, weight.data, bias.data, y.data, sum.data);
  const AddedRow<T> row{x.data, residual.data, y.data, sum.data, hidden.most, {p, seed, draw, stream, layer}};
  record_norm_forward<kN<T>>(launch, wide, row, weight, bias, mean, rstd, rows, hidden, eps);
}

// ---------------------------------------------------------------- backward
// dresidual is the gradient of sum; dx = kept(dresidual) / (1 - p), of the sum's gradient before it is rounded

template <class T>
struct AddedGradient {
  const T* __restrict__ dy;
  const T* __restrict__ sum;
  T* __restrict__ dx;
  T* __restrict__ dresidual;
  uint32_t hidden;
  DropoutParams dropout;

  using Gradient = T;
  using Value = T;
  using Key = Nothing;
  template <uint32_t N>
  struct Load {
    Pack<T, N> dy, sum;
  };

  __device__ __forceinline__ DropoutSite site() const { return dropout.site(); }
  __device__ __forceinline__ Key key(uint32_t) const { return {}; }
  template <uint32_t N>
  __device__ __forceinline__ Load<N> load(Key, uint32_t n, uint32_t h) const {
    const size_t at = size_t(n) * hidden + h;
    return {Pack<T, N>::load(dy + at), Pack<T, N>::load(sum + at)};
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<T, N> gradient(const DropoutSite&, uint32_t, uint32_t, const Load<N>& loaded) const {
    return loaded.dy;
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<T, N> value(const Load<N>& loaded) const {
    return loaded.sum;
  }
  template <uint32_t N>
  __device__ __forceinline__ void store(const DropoutSite& site, uint32_t n, uint32_t h, float (&v)[N]) const {
    const size_t at = size_t(n) * hidden + h;
    Pack<T, N>::of(v).store(dresidual + at);
    drop(site, n, h, v);
    Pack<T, N>::of(v).store(dx + at);
  }
};

template <class T>
void dropout_add_layernorm_backward(Launch& launch, Buffer<const T> dy, Buffer<const T> sum, Buffer<const float> weight,
                                    Buffer<const float> mean, Buffer<const float> rstd, Buffer<T> dx, Buffer<T> dresidual,
                                    Buffer<float> dweight, Buffer<float> dbias, Buffer<float> partial, Param<uint32_t> rows,
                                    Param<uint32_t> hidden, Param<float> p, Param<uint32_t> seed, Param<uint32_t> draw,
                                    Param<uint32_t> stream, Param<uint32_t> layer) {
  const bool wide =
      hidden.most % kN<T> == 0 && all_aligned_16(dy.data, sum.data, weight.data, dx.data, dresidual.data, partial.data);
  const AddedGradient<T> row{dy.data, sum.data, dx.data, dresidual.data, hidden.most, {p, seed, draw, stream, layer}};
  record_norm_backward<kN<T>>(launch, wide, row, weight, mean, rstd, dweight, dbias, partial, rows, hidden);
}

}  // namespace

EXPORT_KERNELS(dropout_add_layernorm, KERNELS(dropout_add_layernorm_forward), KERNELS(dropout_add_layernorm_backward))
