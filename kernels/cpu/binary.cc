// Elementwise arithmetic of two tensors with broadcasting: y[i0,i1,i2,i3] = fn(a[sum i_k a_k], b[sum i_k b_k]).
//
// Work split: y is a list of d0 x d1 x d2 lines of d3 elements. One task is about 16,384 elements: several short lines,
// or a piece of a long one. Within a line a and b either advance by one element or stay (stride 0); loops over the four
// combinations are written out, so that the compiler makes vectors of them.
// Numerics: one rounding an element; max and min give NaN if either operand is NaN, comparisons with NaN give 0.
#include "kernel.h"

namespace {

constexpr uint32_t kPiece = 16384;

struct Add { static float of(float a, float b) { return a + b; } };
struct Sub { static float of(float a, float b) { return a - b; } };
struct Mul { static float of(float a, float b) { return a * b; } };
struct Div { static float of(float a, float b) { return a / b; } };
struct Max { static float of(float a, float b) { return a >= b || a != a ? a : b; } };
struct Min { static float of(float a, float b) { return a <= b || a != a ? a : b; } };
struct Pow { static float of(float a, float b) { return powf(a, b); } };
struct Equal { static float of(float a, float b) { return a == b ? 1.0f : 0.0f; } };
struct Less { static float of(float a, float b) { return a < b ? 1.0f : 0.0f; } };
struct LessEqual { static float of(float a, float b) { return a <= b ? 1.0f : 0.0f; } };

template <class F, class T>
void line(const T* __restrict a, const T* __restrict b, T* __restrict y, uint32_t n, uint32_t sa, uint32_t sb) {
  if (sa == 1 && sb == 1)
    for (uint32_t i = 0; i < n; i++) put(y + i, F::of(to_float(a[i]), to_float(b[i])));
  else if (sa == 1 && sb == 0)
    for (uint32_t i = 0; i < n; i++) put(y + i, F::of(to_float(a[i]), to_float(*b)));
  else if (sa == 0 && sb == 1)
    for (uint32_t i = 0; i < n; i++) put(y + i, F::of(to_float(*a), to_float(b[i])));
  else
    for (uint32_t i = 0; i < n; i++) put(y + i, F::of(to_float(a[size_t(i) * sa]), to_float(b[size_t(i) * sb])));
}

template <class T>
using Line = void (*)(const T*, const T*, T*, uint32_t, uint32_t, uint32_t);
// the order of BINARY_FUNCTIONS in src/ops/binary.ts
template <class T>
constexpr Line<T> kLines[] = {line<Add, T>, line<Sub, T>, line<Mul, T>,   line<Div, T>,  line<Max, T>,
                              line<Min, T>, line<Pow, T>, line<Equal, T>, line<Less, T>, line<LessEqual, T>};

// ---------------------------------------------------------------- forward

template <class T>
void binary_forward(Team& team, const T* a, const T* b, T* y, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3,
                    uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1, uint32_t b2, uint32_t b3,
                    uint32_t fn) {
  const Line<T> f = kLines<T>[fn];
  const uint32_t lines = d0 * d1 * d2, pieces = (d3 + kPiece - 1) / kPiece;
  const uint32_t together = pieces > 1 ? 1 : kPiece / (d3 + 1) + 1;
  const uint32_t groups = (lines + together - 1) / together;
  each(team, groups * pieces, [&](uint32_t task) {
    const uint32_t from = task % pieces * kPiece, n = d3 - from < kPiece ? d3 - from : kPiece;
    const uint32_t begin = task / pieces * together, end = lines - begin < together ? lines : begin + together;
    for (uint32_t l = begin; l < end; l++) {
      const uint32_t i2 = l % d2, i1 = l / d2 % d1, i0 = l / d2 / d1;
      const T* pa = a + size_t(i0) * a0 + size_t(i1) * a1 + size_t(i2) * a2 + size_t(from) * a3;
      const T* pb = b + size_t(i0) * b0 + size_t(i1) * b1 + size_t(i2) * b2 + size_t(from) * b3;
      f(pa, pb, y + size_t(l) * d3 + from, n, a3, b3);
    }
  });
}

}  // namespace

EXPORT_KERNELS(binary, KERNELS(binary_forward))
