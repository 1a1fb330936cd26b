// Chooses by element with broadcasting: y = cond != 0 ? a : b, each operand walked by its own four strides. `mask` takes the
// sign away from a condition that is a float.
//
// Work split: y is a list of d0 x d1 x d2 lines of d3 elements. A thread has one element at a time in a grid-stride loop, or
// four neighbours of a line where line, strides and addresses are multiples of four and each operand either advances along a
// line by one element or stays. The floor is 16 bytes an element where nothing is repeated.
#include "elementwise.cuh"

namespace {

// Strides of one operand, constants.
struct Steps {
  uint32_t s0, s1, s2, s3;
};

__device__ __forceinline__ size_t place(const Steps& s, uint32_t i0, uint32_t i1, uint32_t i2, uint32_t i3) {
  return size_t(i0) * s.s0 + size_t(i1) * s.s1 + size_t(i2) * s.s2 + size_t(i3) * s.s3;
}

// Four neighbours along a line, or four times the same.
__device__ __forceinline__ float4 operand4(const float* p, uint32_t step) {
  if (step == 1) return load4(p);
  const float v = *p;
  return make_float4(v, v, v, v);
}
__device__ __forceinline__ uint4 operand4(const uint32_t* p, uint32_t step) {
  if (step == 1) return *reinterpret_cast<const uint4*>(p);
  const uint32_t v = *p;
  return make_uint4(v, v, v, v);
}

// ---------------------------------------------------------------- forward

template <bool kWide>
__global__ void __launch_bounds__(kElementwise)
where_kernel(const uint32_t* cond, const float* a, const float* b, float* y, Param<uint32_t> d0, Param<uint32_t> d1,
             Param<uint32_t> d2, Param<uint32_t> d3, Steps steps_c, Steps steps_a, Steps steps_b, Param<uint32_t> mask) {
  constexpr uint32_t kWidth = kWide ? 4 : 1;
  const uint32_t size = d3(), size2 = d2(), size1 = d1(), m = mask(), pieces = size / kWidth;
  const uint32_t n = d0() * size1 * size2 * pieces, step = gridDim.x * kElementwise;
  for (uint32_t i = blockIdx.x * kElementwise + threadIdx.x; i < n; i += step) {
    const uint32_t l = i / pieces, i3 = (i - l * pieces) * kWidth, l1 = l / size2, i2 = l - l1 * size2, i0 = l1 / size1, i1 = l1 - i0 * size1;
    const uint32_t* pc = cond + place(steps_c, i0, i1, i2, i3);
    const float* pa = a + place(steps_a, i0, i1, i2, i3);
    const float* pb = b + place(steps_b, i0, i1, i2, i3);
    float* to = y + size_t(l) * size + i3;
    if constexpr (kWide) {
      const uint4 c = operand4(pc, steps_c.s3);
      const float4 p = operand4(pa, steps_a.s3), q = operand4(pb, steps_b.s3);
      store4(to, make_float4((c.x & m) != 0 ? p.x : q.x, (c.y & m) != 0 ? p.y : q.y, (c.z & m) != 0 ? p.z : q.z,
                             (c.w & m) != 0 ? p.w : q.w));
    } else {
      *to = (*pc & m) != 0 ? *pa : *pb;
    }
  }
}

bool in_fours(const Steps& s) { return s.s0 % 4 == 0 && s.s1 % 4 == 0 && s.s2 % 4 == 0 && s.s3 <= 1; }

void where_forward(Launch& launch, Buffer<const uint32_t> cond, Buffer<const float> a, Buffer<const float> b, Buffer<float> y,
                   Param<uint32_t> d0, Param<uint32_t> d1, Param<uint32_t> d2, Param<uint32_t> d3, Param<uint32_t> c0,
                   Param<uint32_t> c1, Param<uint32_t> c2, Param<uint32_t> c3, Param<uint32_t> a0, Param<uint32_t> a1,
                   Param<uint32_t> a2, Param<uint32_t> a3, Param<uint32_t> b0, Param<uint32_t> b1, Param<uint32_t> b2,
                   Param<uint32_t> b3, Param<uint32_t> mask) {
  if (y.size == 0) return;
  const Steps sc{c0.most, c1.most, c2.most, c3.most}, sa{a0.most, a1.most, a2.most, a3.most}, sb{b0.most, b1.most, b2.most, b3.most};
  const bool aligned = is_wide(cond.data) && is_wide(a.data) && is_wide(b.data) && is_wide(y.data);
  const bool wide = aligned && d3.is_constant() && d3.most % 4 == 0 && in_fours(sc) && in_fours(sa) && in_fours(sb);
  const auto kernel = wide ? where_kernel<true> : where_kernel<false>;
  launch(kernel, element_blocks(launch, y.size), kElementwise, 0, cond.data, a.data, b.data, y.data, d0, d1, d2, d3, sc, sa, sb, mask);
}

}  // namespace

EXPORT_KERNELS(where, KERNEL(where_forward))
