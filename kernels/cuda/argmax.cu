// Place of the maximum over the middle axis: y[o,i] = the lowest k with the largest x[o,k,i]. A NaN counts as larger than
// everything; of an empty axis the place is -1. Work split: axis.cuh. The floor is 4 bytes a term.
#include "axis.cuh"

namespace {

struct Place {
  float value;
  uint32_t k;  // 2^32 - 1: nothing yet
};

__device__ __forceinline__ Place pass(Place p, uint32_t lanes) { return {pass(p.value, lanes), pass(p.k, lanes)}; }

struct Argmax {
  using State = Place;
  int32_t* y;
  __device__ float target(uint32_t) const { return 0.f; }
  __device__ State none() const { return {-INFINITY, 0xffffffffu}; }
  __device__ void take(State& s, float v, uint32_t k, float) const {
    if (v > s.value || (v != v && s.value == s.value) || s.k == 0xffffffffu) s = {v, k};
  }
  __device__ State join(State a, State b) const {
    const bool a_odd = a.value != a.value, b_odd = b.value != b.value;
    const bool same = a_odd == b_odd && (a_odd || a.value == b.value);
    const bool second = same ? b.k < a.k : b_odd || b.value > a.value;  // with a NaN in a nothing is greater
    return second ? b : a;
  }
  __device__ void put(uint32_t output, State s, uint32_t) const { y[output] = int32_t(s.k); }
};

// ---------------------------------------------------------------- forward

void argmax_forward(Launch& launch, Buffer<const float> x, Buffer<int32_t> y, Param<uint32_t> outer, Param<uint32_t> axis,
                    Param<uint32_t> inner) {
  reduce_axis(launch, Argmax{y.data}, x, y.size, outer, axis, inner.most);
}

}  // namespace

EXPORT_KERNELS(argmax, KERNEL(argmax_forward))
