// Sum, mean or maximum over the middle axis: y[o,i] = fn over k of x[o,k,i].
//
// Work split and order of terms: axis.cuh. Backward, a thread has one element of dx, or four neighbours where inner, or the
// axis if inner is 1, is a multiple of four; that of the maximum finds the place of each first, as a reduction.
// Numerics: sums are taken in chunks, whose results are added up, so the error grows with the length of a chain and the
// number of chunks. Mean of nothing is 0, maximum of nothing -inf; a NaN makes the maximum NaN. Of equal maxima the first
// gets the gradient.
// The floor is 4 bytes a term, backward too; of the maximum 8.
#include "axis.cuh"
#include "elementwise.cuh"

namespace {

constexpr uint32_t kMean = 1, kMax = 2;  // the order of REDUCE_FUNCTIONS in src/ops/reduce.ts; 0 is sum

struct Sum {
  using State = float;
  float* y;
  uint32_t is_mean;
  __device__ float target(uint32_t) const { return 0.f; }
  __device__ State none() const { return 0.f; }
  __device__ void take(State& s, float v, uint32_t, float) const { s += v; }
  __device__ State join(State a, State b) const { return a + b; }
  __device__ void put(uint32_t output, State s, uint32_t axis) const { y[output] = is_mean && axis > 0 ? s / float(axis) : s; }
};

struct Max {
  using State = float;
  float* y;
  __device__ float target(uint32_t) const { return 0.f; }
  __device__ State none() const { return -INFINITY; }
  __device__ void take(State& s, float v, uint32_t, float) const { s = join(s, v); }
  __device__ State join(State a, State b) const { return b > a || b != b ? b : a; }  // a NaN stays: nothing is greater
  __device__ void put(uint32_t output, State s, uint32_t) const { y[output] = s; }
};

// The first place where x is y, 2^32 - 1 if there is none.
struct First {
  using State = uint32_t;
  const float* y;
  uint32_t* place;
  __device__ float target(uint32_t output) const { return y[output]; }
  __device__ State none() const { return 0xffffffffu; }
  __device__ void take(State& s, float v, uint32_t k, float target) const { s = v == target && k < s ? k : s; }
  __device__ State join(State a, State b) const { return a < b ? a : b; }
  __device__ void put(uint32_t output, State s, uint32_t) const { place[output] = s; }
};

// ---------------------------------------------------------------- forward

void reduce_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> outer, Param<uint32_t> axis,
                    Param<uint32_t> inner, Param<uint32_t> fn) {
  if (fn.most == kMax)
    reduce_axis(launch, Max{y.data}, x, y.size, outer, axis, inner.most);
  else
    reduce_axis(launch, Sum{y.data, fn.most == kMean}, x, y.size, outer, axis, inner.most);
}

// ---------------------------------------------------------------- backward
// sum: dx = dy;   mean: dx = dy / axis;   max: dx = dy at its place, else 0

// Four elements, or one, from `e` on: of neighbouring outputs (inner > 1) or of the same one.
template <bool kWide, bool kPlaces>
__device__ __forceinline__ void spread(const float* dy, const uint32_t* place, float* dx, uint32_t e, uint32_t n, uint32_t inner,
                                       float scale) {
  const uint32_t line = e / inner, o = line / n, k = line - o * n, at = o * inner + (e - line * inner);
  if constexpr (!kWide) {
    dx[e] = kPlaces ? (place[at] == k ? dy[at] : 0.f) : dy[at] * scale;
  } else if (inner == 1) {
    const float d = dy[at] * scale;
    const uint32_t p = kPlaces ? place[at] - k : 0;
    store4(dx + e, kPlaces ? make_float4(p == 0 ? d : 0.f, p == 1 ? d : 0.f, p == 2 ? d : 0.f, p == 3 ? d : 0.f)
                           : make_float4(d, d, d, d));
  } else {
    const float4 d = load4(dy + at);
    if constexpr (kPlaces) {
      const uint4 p = *reinterpret_cast<const uint4*>(place + at);
      store4(dx + e, make_float4(p.x == k ? d.x : 0.f, p.y == k ? d.y : 0.f, p.z == k ? d.z : 0.f, p.w == k ? d.w : 0.f));
    } else {
      store4(dx + e, make_float4(d.x * scale, d.y * scale, d.z * scale, d.w * scale));
    }
  }
}

template <bool kWide, bool kPlaces>
__global__ void __launch_bounds__(kElementwise)
spread_kernel(const float* dy, const uint32_t* place, float* dx, Param<uint32_t> outer, Param<uint32_t> axis, uint32_t inner,
              uint32_t is_mean) {
  const uint32_t n = axis(), count = outer() * n * inner;
  const float scale = is_mean ? 1.f / float(n) : 1.f;
  each_element<kWide>(
      count, [&](uint32_t e) { spread<kWide, kPlaces>(dy, place, dx, e, n, inner, scale); },
      [&](uint32_t e) { spread<false, kPlaces>(dy, place, dx, e, n, inner, scale); });
}

template <bool kPlaces>
void record_spread(Launch& launch, const float* dy, const uint32_t* place, Buffer<float> dx, Param<uint32_t> outer,
                   Param<uint32_t> axis, uint32_t inner, bool is_mean) {
  if (dx.size == 0) return;
  const bool fours = inner == 1 ? axis.is_constant() && axis.most % 4 == 0 : inner % 4 == 0 && is_wide(dy);
  const auto kernel = fours && is_wide(dx.data) ? spread_kernel<true, kPlaces> : spread_kernel<false, kPlaces>;
  launch(kernel, element_blocks(launch, dx.size), kElementwise, 0, dy, place, dx.data, outer, axis, inner, uint32_t(is_mean));
}

void reduce_backward(Launch& launch, Buffer<const float> dy, Buffer<float> dx, Param<uint32_t> outer, Param<uint32_t> axis,
                     Param<uint32_t> inner, Param<uint32_t> fn) {
  record_spread<false>(launch, dy.data, nullptr, dx, outer, axis, inner.most, fn.most == kMean);
}

void reduce_backward_max(Launch& launch, Buffer<const float> dy, Buffer<const float> x, Buffer<const float> y, Buffer<float> dx,
                         Param<uint32_t> outer, Param<uint32_t> axis, Param<uint32_t> inner) {
  uint32_t* place = launch.scratch<uint32_t>(y.size);
  reduce_axis(launch, First{y.data, place}, x, y.size, outer, axis, inner.most);
  record_spread<true>(launch, dy.data, place, dx, outer, axis, inner.most, false);
}

}  // namespace

EXPORT_KERNELS(reduce, KERNEL(reduce_forward), KERNEL(reduce_backward), KERNEL(reduce_backward_max))
