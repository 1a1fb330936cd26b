// Elementwise arithmetic of two tensors with broadcasting: y[i0,i1,i2,i3] = fn(a[sum i_k a_k], b[sum i_k b_k]).
//
// Work split: y is a list of d0 x d1 x d2 lines of d3 elements. A thread has one element at a time in a grid-stride loop,
// or four neighbours of a line where lines, strides and addresses are multiples of four and an operand either advances
// along a line by one element or stays. One line that is all of y, which is what equal shapes become, may also end in
// less than four.
// Numerics: one rounding an element; max and min give NaN if either operand is NaN, comparisons with NaN give 0.
#include "elementwise.cuh"

namespace {

// The order of BINARY_FUNCTIONS in src/ops/binary.ts. The same branch for all threads of a launch.
__device__ __forceinline__ float apply(uint32_t fn, float a, float b) {
  switch (fn) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return a >= b || a != a ? a : b;
    case 5: return a <= b || a != a ? a : b;
    case 6: return powf(a, b);
    case 7: return a == b ? 1.f : 0.f;
    case 8: return a < b ? 1.f : 0.f;
    default: return a <= b ? 1.f : 0.f;
  }
}

struct Strides {
  Param<uint32_t> s0, s1, s2, s3;
};

// Four elements along a line from p on: neighbours, or four times the same.
template <class T>
__device__ __forceinline__ float4 operand4(const T* p, uint32_t stride) {
  if (stride == 1) return load4(p);
  const float v = to_float(*p);
  return make_float4(v, v, v, v);
}

__device__ __forceinline__ float4 apply4(uint32_t fn, float4 a, float4 b) {
  return make_float4(apply(fn, a.x, b.x), apply(fn, a.y, b.y), apply(fn, a.z, b.z), apply(fn, a.w, b.w));
}

template <class T, bool kWide>
__global__ void __launch_bounds__(kElementwise)
binary_line_kernel(const T* a, const T* b, T* y, Param<uint32_t> count, Param<uint32_t> stride_a, Param<uint32_t> stride_b,
                   Param<uint32_t> function) {
  const uint32_t sa = stride_a(), sb = stride_b(), fn = function();
  each_element<kWide>(
      count(),
      [&](uint32_t i) { store4(y + i, apply4(fn, operand4(a + size_t(i) * sa, sa), operand4(b + size_t(i) * sb, sb))); },
      [&](uint32_t i) { y[i] = from_float<T>(apply(fn, to_float(a[size_t(i) * sa]), to_float(b[size_t(i) * sb]))); });
}

// kWidth: 1, or 4 elements of a line at a time.
template <class T, uint32_t kWidth>
__global__ void __launch_bounds__(kElementwise)
binary_lines_kernel(const T* a, const T* b, T* y, Strides size, Strides stride_a, Strides stride_b,
                    Param<uint32_t> function) {
  const uint32_t d1 = size.s1(), d2 = size.s2(), d3 = size.s3(), fn = function();
  const uint32_t a0 = stride_a.s0(), a1 = stride_a.s1(), a2 = stride_a.s2(), a3 = stride_a.s3();
  const uint32_t b0 = stride_b.s0(), b1 = stride_b.s1(), b2 = stride_b.s2(), b3 = stride_b.s3();
  const uint32_t pieces = d3 / kWidth, n = size.s0() * d1 * d2 * pieces, step = gridDim.x * kElementwise;
  for (uint32_t i = blockIdx.x * kElementwise + threadIdx.x; i < n; i += step) {
    const uint32_t l = i / pieces, i3 = (i - l * pieces) * kWidth, i2 = l % d2, i1 = l / d2 % d1, i0 = l / d2 / d1;
    const T* pa = a + size_t(i0) * a0 + size_t(i1) * a1 + size_t(i2) * a2 + size_t(i3) * a3;
    const T* pb = b + size_t(i0) * b0 + size_t(i1) * b1 + size_t(i2) * b2 + size_t(i3) * b3;
    T* py = y + size_t(l) * d3 + i3;
    if constexpr (kWidth == 4)
      store4(py, apply4(fn, operand4(pa, a3), operand4(pb, b3)));
    else
      *py = from_float<T>(apply(fn, to_float(*pa), to_float(*pb)));
  }
}

bool is_one(Param<uint32_t> p) { return p.is_constant() && p.most == 1; }
bool advances_or_stays(Param<uint32_t> stride) { return stride.is_constant() && stride.most <= 1; }
bool in_fours(const Strides& s) {
  for (const auto& stride : {s.s0, s.s1, s.s2})
    if (!stride.is_constant() || stride.most % 4 != 0) return false;
  return true;
}

// ---------------------------------------------------------------- forward

template <class T>
void binary_forward(Launch& launch, Buffer<const T> a, Buffer<const T> b, Buffer<T> y, Param<uint32_t> d0, Param<uint32_t> d1,
                    Param<uint32_t> d2, Param<uint32_t> d3, Param<uint32_t> a0, Param<uint32_t> a1, Param<uint32_t> a2,
                    Param<uint32_t> a3, Param<uint32_t> b0, Param<uint32_t> b1, Param<uint32_t> b2, Param<uint32_t> b3,
                    Param<uint32_t> fn) {
  const Strides sa{a0, a1, a2, a3}, sb{b0, b1, b2, b3};
  const uint32_t blocks = element_blocks(launch, y.size);
  const bool wide = is_wide(a.data) && is_wide(b.data) && is_wide(y.data) && advances_or_stays(a3) && advances_or_stays(b3);
  if (is_one(d0) && is_one(d1) && is_one(d2)) {
    const auto kernel = wide ? binary_line_kernel<T, true> : binary_line_kernel<T, false>;
    launch(kernel, blocks, kElementwise, 0, a.data, b.data, y.data, d3, a3, b3, fn);
  } else {
    const bool fours = wide && d3.is_constant() && d3.most % 4 == 0 && in_fours(sa) && in_fours(sb);
    const auto kernel = fours ? binary_lines_kernel<T, 4> : binary_lines_kernel<T, 1>;
    launch(kernel, blocks, kElementwise, 0, a.data, b.data, y.data, Strides{d0, d1, d2, d3}, sa, sb, fn);
  }
}

}  // namespace

EXPORT_KERNELS(binary, KERNELS(binary_forward))
