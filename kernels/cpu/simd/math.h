// Elementary functions on vectors, the same polynomials on every instruction set, and loops over rows of floats.
#pragma once

namespace {

// e^x to 2 ulp (Cephes expf). Below -87.3 the result is 0, so masked scores of -inf vanish; above 88.7 it saturates.
inline V exp(V x) {
  const V lo = set1(-87.33654f), y = min(set1(88.72283f), max(lo, x));  // in this order a NaN stays one
  const V n = round(y * set1(1.44269504088896341f));
  V r = fma(n, set1(-0.693359375f), y);
  r = fma(n, set1(2.12194440e-4f), r);
  V p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = fma(p, r * r, r + set1(1.0f));
  return select_less(x, lo, zero(), times_pow2(p, n));
}

// tanh x to a few ulp: odd rational function of degree 13 over 6, saturated beyond 7.9 (the form used by Eigen).
inline V tanh(V x) {
  const V limit = set1(7.90531110763549805f), y = min(limit, max(zero() - limit, x)), s = y * y;
  V p = set1(-2.76076847742355e-16f);
  p = fma(p, s, set1(2.00018790482477e-13f));
  p = fma(p, s, set1(-8.60467152213735e-11f));
  p = fma(p, s, set1(5.12229709037114e-08f));
  p = fma(p, s, set1(1.48572235717979e-05f));
  p = fma(p, s, set1(6.37261928875436e-04f));
  p = fma(p, s, set1(4.89352455891786e-03f));
  V q = set1(1.19825839466702e-06f);
  q = fma(q, s, set1(1.18534705686654e-04f));
  q = fma(q, s, set1(2.26843463243900e-03f));
  q = fma(q, s, set1(4.89352518554385e-03f));
  return y * p / q;
}

// GELU in its tanh form (Hendrycks and Gimpel 2016) and its derivative. 0.5 (1 + tanh u) is the logistic function of 2u,
// and with e = exp(-2|u|) neither it nor its derivative e / (1 + e)^2 cancels:
//   gelu(x) = x s,  gelu'(x) = s + 2 x u' e / (1 + e)^2,  u = sqrt(2/pi) (x + 0.044715 x^3),  s = (u < 0 ? e : 1) / (1 + e)
constexpr float kGelu1 = 0.7978845608028654f, kGelu3 = 0.044715f * 0.7978845608028654f;
inline V gelu(V x) {
  const V u = x * fma(set1(kGelu3), x * x, set1(kGelu1)), one = set1(1.0f);
  const V e = exp(set1(2.0f) * min(u, zero() - u));
  return x * select_less(u, zero(), e, one) / (one + e);
}
inline V gelu_derivative(V x) {
  const V square = x * x, one = set1(1.0f), two = set1(2.0f);
  const V u = x * fma(set1(kGelu3), square, set1(kGelu1)), du = fma(set1(3.0f * kGelu3), square, set1(kGelu1));
  const V e = exp(two * min(u, zero() - u)), r = one / (one + e);
  return r * fma(two * x * du, e * r, select_less(u, zero(), e, one));
}

// x times the logistic function s (Elfwing et al. 2018), and s + x s (1 - s): with e = exp(-|x|), s = (x < 0 ? e : 1) / (1 + e).
// e is 0 beyond 87.3, so x is held within 88, where infinities would give 0 times infinity.
inline V silu(V x) {
  const V one = set1(1.0f), y = max(set1(-88.0f), x), e = exp(min(y, zero() - y));
  return y * select_less(y, zero(), e, one) / (one + e);
}
inline V silu_derivative(V x) {
  const V one = set1(1.0f), y = min(set1(88.0f), max(set1(-88.0f), x)), e = exp(min(y, zero() - y)), r = one / (one + e);
  return r * fma(y, e * r, select_less(y, zero(), e, one));
}

// GELU in its erf form, x Phi(x) with Phi the normal distribution function, and its derivative Phi(x) + x phi(x). With
// e = exp(-x^2/2) and t = 1 / (1 + 0.35 |x|) the tail is Phi(-|x|) = e t p(t), where p is a minimax fit of degree 8 over
// |x| <= 14.5, the form of Abramowitz and Stegun 7.1.26 with more terms (relative error 3.2e-8); e is 0 beyond.
inline V normal_tail(V x, V e) {
  const V t = set1(1.0f) / fma(set1(0.35f), max(x, zero() - x), set1(1.0f));
  V p = set1(-0.02915787772f);
  p = fma(p, t, set1(0.144030881f));
  p = fma(p, t, set1(-0.2558389255f));
  p = fma(p, t, set1(0.1593196075f));
  p = fma(p, t, set1(-0.02321229438f));
  p = fma(p, t, set1(0.1055524779f));
  p = fma(p, t, set1(0.1198212936f));
  p = fma(p, t, set1(0.1398635147f));
  p = fma(p, t, set1(0.1396213069f));
  return e * (t * p);
}
inline V gelu_erf(V x) {
  const V tail = normal_tail(x, exp(set1(-0.5f) * x * x));
  return x * select_less(x, zero(), tail, set1(1.0f) - tail);
}
inline V gelu_erf_derivative(V x) {
  const V e = exp(set1(-0.5f) * x * x), tail = normal_tail(x, e);
  return fma(x * e, set1(0.3989422804014327f), select_less(x, zero(), tail, set1(1.0f) - tail));
}

// f(i, n) for vectors of n <= W floats that cover [0, count).
template <class F>
inline void vectors(uint32_t count, F f) {
  uint32_t i = 0;
  for (; i + W <= count; i += W) f(i, W);
  if (i < count) f(i, count - i);
}

// The sum of f(i, n) over the same vectors, in four chains: one alone waits for its own additions.
template <class F>
inline V total(uint32_t count, F f) {
  V s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
  uint32_t i = 0;
  for (; i + 4 * W <= count; i += 4 * W) {
    s0 = s0 + f(i, W);
    s1 = s1 + f(i + W, W);
    s2 = s2 + f(i + 2 * W, W);
    s3 = s3 + f(i + 3 * W, W);
  }
  V s = (s0 + s1) + (s2 + s3);
  for (; i < count; i += W) s = s + f(i, count - i < W ? count - i : W);
  return s;
}

// Asks for n elements from p on, which are about to be read, or written if `writes`: memory then works during the arithmetic
// in between.
template <bool writes = false, class T>
inline void prefetch(const T* p, uint32_t n) {
  constexpr size_t kBytes = 64;  // of a line
  for (size_t i = 0; i < n * sizeof(T); i += kBytes) __builtin_prefetch(reinterpret_cast<const char*>(p) + i, writes);
}

}  // namespace
