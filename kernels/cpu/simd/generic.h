// Vector of 4 floats in portable C++: the reference that every compiler can build. Same names as avx2.h, avx512.h.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../bf16.h"

namespace {

constexpr uint32_t W = 4;
constexpr uint32_t kRegisters = 16;

struct V {
  float v[4];
};

#define BIOALBERT_LANES(expression) \
  V r;                              \
  for (uint32_t i = 0; i < 4; i++) r.v[i] = (expression); \
  return r

inline V load(const float* p) { BIOALBERT_LANES(p[i]); }
inline void store(float* p, V a) {
  for (uint32_t i = 0; i < 4; i++) p[i] = a.v[i];
}
inline V load_n(const float* p, uint32_t n) { BIOALBERT_LANES(i < n ? p[i] : 0.0f); }
inline void store_n(float* p, V a, uint32_t n) {
  for (uint32_t i = 0; i < 4 && i < n; i++) p[i] = a.v[i];
}
inline V set1(float x) { BIOALBERT_LANES(x); }
inline V zero() { return set1(0.0f); }
inline V operator+(V a, V b) { BIOALBERT_LANES(a.v[i] + b.v[i]); }
inline V operator-(V a, V b) { BIOALBERT_LANES(a.v[i] - b.v[i]); }
inline V operator*(V a, V b) { BIOALBERT_LANES(a.v[i] * b.v[i]); }
inline V operator/(V a, V b) { BIOALBERT_LANES(a.v[i] / b.v[i]); }
inline V fma(V a, V b, V c) { BIOALBERT_LANES(a.v[i] * b.v[i] + c.v[i]); }
inline V add_product(V c, V a, V b) { return fma(a, b, c); }  // see avx2.h
inline V max(V a, V b) { BIOALBERT_LANES(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
inline V min(V a, V b) { BIOALBERT_LANES(a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
inline V sqrt(V a) { BIOALBERT_LANES(sqrtf(a.v[i])); }
inline V round(V a) { BIOALBERT_LANES(nearbyintf(a.v[i])); }
// NaN, which no int holds, and what is out of range anyway give 0 or infinity
inline int exponent(float n) { return n > 300.0f ? 300 : n >= -300.0f ? int(n) : -300; }
inline V pow2(V n) { BIOALBERT_LANES(ldexpf(1.0f, exponent(n.v[i]))); }
inline V times_pow2(V a, V n) {  // in two halves, since 2^128 does not fit
  const V h = round(n * set1(0.5f));
  return a * pow2(h) * pow2(n - h);
}
inline V select_less(V a, V b, V yes, V no) { BIOALBERT_LANES(a.v[i] < b.v[i] ? yes.v[i] : no.v[i]); }
inline V keep(const uint32_t* bits, uint32_t threshold, V a) { BIOALBERT_LANES(bits[i] >= threshold ? a.v[i] : 0.0f); }
inline float sum(V a) { return (a.v[0] + a.v[1]) + (a.v[2] + a.v[3]); }
inline float largest(V a) {
  const float x = a.v[0] > a.v[1] ? a.v[0] : a.v[1], y = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return x > y ? x : y;
}

inline V load(const bf16* p) { BIOALBERT_LANES(to_float(p[i])); }
inline V load_n(const bf16* p, uint32_t n) { BIOALBERT_LANES(i < n ? to_float(p[i]) : 0.0f); }
inline void store(bf16* p, V a) {
  for (uint32_t i = 0; i < 4; i++) p[i] = to_bf16(a.v[i]);
}
inline void store_n(bf16* p, V a, uint32_t n) {
  for (uint32_t i = 0; i < 4 && i < n; i++) p[i] = to_bf16(a.v[i]);
}

#undef BIOALBERT_LANES

// Words of random numbers (philox.h): one of 64 bits, of which products read the lower half.
constexpr uint32_t kWordLanes = 1;
struct U {
  uint64_t v;
};
inline U words(uint32_t x) { return {x}; }
inline U words_from(uint32_t first) { return {first}; }
inline U multiply(U a, U b) { return {uint64_t(uint32_t(a.v)) * uint32_t(b.v)}; }
// the upper half of a product, exclusive or b and c
inline U high_xor(U a, U b, U c) { return {(a.v >> 32) ^ b.v ^ c.v}; }
// Lower halves of a, b, c, d: 4 kWordLanes words.
inline void store_words(uint32_t* p, U a, U b, U c, U d) {
  p[0] = uint32_t(a.v), p[1] = uint32_t(b.v), p[2] = uint32_t(c.v), p[3] = uint32_t(d.v);
}

// Transposes `lines` x 4 floats: to[j * to_row + i] = from[i * from_row + j].
constexpr uint32_t kTranspose = 4;
template <uint32_t lines = kTranspose>
inline void transpose(const float* from, ptrdiff_t from_row, float* to, ptrdiff_t to_row) {
  for (uint32_t i = 0; i < lines; i++)
    for (uint32_t j = 0; j < kTranspose; j++) to[j * to_row + i] = from[i * from_row + j];
}

}  // namespace
