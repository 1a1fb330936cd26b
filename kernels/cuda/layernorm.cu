// Layer normalisation over the last dimension (Ba et al. 2016).
//
//   y[n,h] = (x[n,h] - mean[n]) * rstd[n] * weight[h] + bias[h],   rstd = 1 / sqrt(var + eps), biased variance
//
// Work split and numerics: row_norm.cuh. Saved for backward: mean and rstd, one float a row.
// Floor: 8 bytes an element forward, 12 backward; weight and bias come from L1.
#include "row_norm.cuh"

namespace {

// Elements of a 16-byte access.
constexpr uint32_t kN = 4;

// ---------------------------------------------------------------- forward

struct LayernormRow {
  const float* __restrict__ x;
  float* __restrict__ y;
  uint32_t hidden;

  using Value = float;
  using Key = Nothing;
  template <uint32_t N>
  using Load = Pack<float, N>;

  __device__ __forceinline__ Nothing site() const { return {}; }
  __device__ __forceinline__ Key key(uint32_t) const { return {}; }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> load(Key, uint32_t n, uint32_t h) const {
    return Pack<float, N>::load(x + size_t(n) * hidden + h);
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> value(Nothing, uint32_t, uint32_t, const Pack<float, N>& loaded) const {
    return loaded;
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> again(Key key, uint32_t n, uint32_t h) const {
    return load<N>(key, n, h);
  }
  template <uint32_t N>
  __device__ __forceinline__ void store(Nothing, uint32_t n, uint32_t h, const float (&v)[N]) const {
    Pack<float, N>::of(v).store(y + size_t(n) * hidden + h);
  }
};

void layernorm_forward(Launch& launch, Buffer<const float> x, Buffer<const float> weight, Buffer<const float> bias,
                       Buffer<float> y, Buffer<float> mean, Buffer<float> rstd, Param<uint32_t> rows, Param<uint32_t> hidden,
                       Param<float> eps) {
  const bool wide = hidden.most % kN == 0 && all_aligned_16(x.data, weight.data, bias.data, y.data);
  record_norm_forward<kN>(launch, wide, LayernormRow{x.data, y.data, hidden.most}, weight, bias, mean, rstd, rows, hidden, eps);
}

// ---------------------------------------------------------------- backward

struct LayernormGradient {
  const float* __restrict__ dy;
  const float* __restrict__ x;
  float* __restrict__ dx;
  uint32_t hidden;

  using Gradient = float;
  using Value = float;
  using Key = Nothing;
  template <uint32_t N>
  struct Load {
    Pack<float, N> dy, x;
  };

  __device__ __forceinline__ Nothing site() const { return {}; }
  __device__ __forceinline__ Key key(uint32_t) const { return {}; }
  template <uint32_t N>
  __device__ __forceinline__ Load<N> load(Key, uint32_t n, uint32_t h) const {
    const size_t at = size_t(n) * hidden + h;
    return {Pack<float, N>::load(dy + at), Pack<float, N>::load(x + at)};
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> gradient(Nothing, uint32_t, uint32_t, const Load<N>& loaded) const {
    return loaded.dy;
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> value(const Load<N>& loaded) const {
    return loaded.x;
  }
  template <uint32_t N>
  __device__ __forceinline__ void store(Nothing, uint32_t n, uint32_t h, const float (&v)[N]) const {
    Pack<float, N>::of(v).store(dx + size_t(n) * hidden + h);
  }
};

void layernorm_backward(Launch& launch, Buffer<const float> dy, Buffer<const float> x, Buffer<const float> weight,
                        Buffer<const float> mean, Buffer<const float> rstd, Buffer<float> dx, Buffer<float> dweight,
                        Buffer<float> dbias, Buffer<float> partial, Param<uint32_t> rows, Param<uint32_t> hidden) {
  const bool wide = hidden.most % kN == 0 && all_aligned_16(dy.data, x.data, weight.data, dx.data, partial.data);
  record_norm_backward<kN>(launch, wide, LayernormGradient{dy.data, x.data, dx.data, hidden.most}, weight, mean, rstd, dweight,
                           dbias, partial, rows, hidden);
}

}  // namespace

EXPORT_KERNELS(layernorm, KERNEL(layernorm_forward), KERNEL(layernorm_backward))
