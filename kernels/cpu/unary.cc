// Elementwise functions: y = fn(x), and dx = dy fn'(v) where v is x or y (src/ops/unary.ts says which).
//
// Work split: one task is 16,384 elements. exp, tanh, gelu, sigmoid and silu are the polynomials of simd/math.h; log, sin and
// cos are the C library's, one element at a time; log1p corrects its log.
#include "kernel.h"

namespace {

constexpr uint32_t kPiece = 16384;

// The order of UNARY_FUNCTIONS in src/ops/unary.ts.
enum Function : uint32_t {
  kNeg, kExp, kLog, kSqrt, kRsqrt, kTanh, kRelu, kGelu, kSigmoid, kAbs, kSquare, kReciprocal, kSin, kCos, kSilu, kLog1p
};

template <class F>
void map(Team& team, uint32_t count, const float* x, float* y, F f) {
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) { store_n(y + begin + i, f(load_n(x + begin + i, n)), n); });
  });
}

template <class F>
void map_each(Team& team, uint32_t count, const float* x, float* y, F f) {
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) y[i] = f(x[i]);
  });
}

// log(1 + x) to 2 ulp: with u the float next to 1 + x, log u + (1 + x - u) / u. The C library's log1pf takes several times as long.
inline float log_1p(float x) {
  const float u = 1.0f + x;
  return u > 0.0f && u < INFINITY ? logf(u) + (x - (u - 1.0f)) / u : logf(u);
}

// dx = f(dy, v)
template <class F>
void map2(Team& team, uint32_t count, const float* dy, const float* v, float* dx, F f) {
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) {
      const uint32_t e = begin + i;
      store_n(dx + e, f(load_n(dy + e, n), load_n(v + e, n)), n);
    });
  });
}

// ---------------------------------------------------------------- forward

void unary_forward(Team& team, const float* x, float* y, uint32_t count, uint32_t fn) {
  const V one = set1(1.0f);
  switch (Function(fn)) {
    case kNeg: return map_each(team, count, x, y, [](float a) { return -a; });
    case kExp: return map(team, count, x, y, [](V a) { return exp(a); });
    case kLog: return map_each(team, count, x, y, [](float a) { return logf(a); });
    case kSqrt: return map(team, count, x, y, [](V a) { return sqrt(a); });
    case kRsqrt: return map(team, count, x, y, [=](V a) { return one / sqrt(a); });
    case kTanh: return map(team, count, x, y, [](V a) { return tanh(a); });
    case kRelu: return map(team, count, x, y, [](V a) { return max(zero(), a); });
    case kGelu: return map(team, count, x, y, [](V a) { return gelu(a); });
    case kSigmoid: return map(team, count, x, y, [=](V a) { return one / (one + exp(zero() - a)); });
    case kAbs: return map_each(team, count, x, y, [](float a) { return fabsf(a); });
    case kSquare: return map(team, count, x, y, [](V a) { return a * a; });
    case kReciprocal: return map(team, count, x, y, [=](V a) { return one / a; });
    case kSin: return map_each(team, count, x, y, [](float a) { return sinf(a); });
    case kCos: return map_each(team, count, x, y, [](float a) { return cosf(a); });
    case kSilu: return map(team, count, x, y, [](V a) { return silu(a); });
    case kLog1p: return map_each(team, count, x, y, log_1p);
  }
}

// ---------------------------------------------------------------- backward

void unary_backward(Team& team, const float* dy, const float* v, float* dx, uint32_t count, uint32_t fn) {
  const V one = set1(1.0f), half = set1(0.5f);
  const auto by_element = [&](float (*f)(float)) {
    each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
      for (uint32_t i = begin; i < end; i++) dx[i] = dy[i] * f(v[i]);
    });
  };
  switch (Function(fn)) {
    case kNeg: return map2(team, count, dy, v, dx, [](V d, V) { return zero() - d; });
    case kExp: return map2(team, count, dy, v, dx, [](V d, V y) { return d * y; });
    case kLog: return map2(team, count, dy, v, dx, [](V d, V x) { return d / x; });
    case kSqrt: return map2(team, count, dy, v, dx, [=](V d, V y) { return half * d / y; });
    case kRsqrt: return map2(team, count, dy, v, dx, [=](V d, V y) { return zero() - half * d * y * y * y; });
    case kTanh: return map2(team, count, dy, v, dx, [=](V d, V y) { return d * (one - y * y); });
    case kRelu: return map2(team, count, dy, v, dx, [](V d, V x) { return select_less(zero(), x, d, zero()); });
    case kGelu: return map2(team, count, dy, v, dx, [](V d, V x) { return d * gelu_derivative(x); });
    case kSigmoid: return map2(team, count, dy, v, dx, [=](V d, V y) { return d * y * (one - y); });
    case kAbs:
      return map2(team, count, dy, v, dx, [](V d, V x) {
        return select_less(zero(), x, d, select_less(x, zero(), zero() - d, zero()));
      });
    case kSquare: return map2(team, count, dy, v, dx, [](V d, V x) { return d * (x + x); });
    case kReciprocal: return map2(team, count, dy, v, dx, [](V d, V y) { return zero() - d * y * y; });
    case kSin: return by_element([](float x) { return cosf(x); });
    case kCos: return by_element([](float x) { return -sinf(x); });
    case kSilu: return map2(team, count, dy, v, dx, [](V d, V x) { return d * silu_derivative(x); });
    case kLog1p: return map2(team, count, dy, v, dx, [=](V d, V x) { return d / (one + x); });
  }
}

}  // namespace

EXPORT_KERNELS(unary, KERNEL(unary_forward), KERNEL(unary_backward))
