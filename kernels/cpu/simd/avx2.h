// Vector of 8 floats on AVX2 + FMA. The same names stand in avx512.h and generic.h.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../bf16.h"
#include "transpose.h"

namespace {

constexpr uint32_t W = 8;
constexpr uint32_t kRegisters = 16;

struct V {
  __m256 v;
};

inline V load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline void store(float* p, V a) { _mm256_storeu_ps(p, a.v); }
inline __m256i first(uint32_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n > 8 ? 8 : n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
// Whole vectors go without a mask: on some processors a masked store costs as much as twenty plain ones.
inline V load_n(const float* p, uint32_t n) {
  if (n >= W) return load(p);
  touch(p, n, 8);
  return {_mm256_maskload_ps(p, first(n))};
}
inline void store_n(float* p, V a, uint32_t n) {
  if (n >= W) return store(p, a);
  touch(p, n, 8);
  _mm256_maskstore_ps(p, first(n), a.v);
}
inline V set1(float x) { return {_mm256_set1_ps(x)}; }
inline V zero() { return {_mm256_setzero_ps()}; }
inline V operator+(V a, V b) { return {_mm256_add_ps(a.v, b.v)}; }
inline V operator-(V a, V b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline V operator*(V a, V b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline V operator/(V a, V b) { return {_mm256_div_ps(a.v, b.v)}; }
inline V fma(V a, V b, V c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
// c + a b in the register of c, for sums that stay in registers over a loop: left to choose, the compiler lets the result take
// the place of a factor, and with all 16 registers in use it then moves and spills sums (about a tenth of a product's time).
inline V add_product(V c, V a, V b) {
  asm("vfmadd231ps %2, %1, %0" : "+x"(c.v) : "x"(a.v), "x"(b.v));
  return c;
}
inline V max(V a, V b) { return {_mm256_max_ps(a.v, b.v)}; }
inline V min(V a, V b) { return {_mm256_min_ps(a.v, b.v)}; }
inline V sqrt(V a) { return {_mm256_sqrt_ps(a.v)}; }
inline V round(V a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline V pow2(V n) {
  const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(e, 23))};
}
inline V times_pow2(V a, V n) {  // in two halves, since 2^128 does not fit
  const V h = round(n * set1(0.5f));
  return a * pow2(h) * pow2(n - h);
}
inline V select_less(V a, V b, V yes, V no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
inline V keep(const uint32_t* bits, uint32_t threshold, V a) {
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bits));
  const __m256i t = _mm256_set1_epi32(int(threshold));
  const __m256i m = _mm256_cmpeq_epi32(_mm256_max_epu32(b, t), b);
  return {_mm256_and_ps(_mm256_castsi256_ps(m), a.v)};
}
inline float sum(V a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
inline float largest(V a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

inline __m256 widen(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
inline __m128i narrow(__m256 x) {  // as to_bf16
  const __m256i u = _mm256_castps_si256(x), high = _mm256_srli_epi32(u, 16);
  const __m256i even = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(high, _mm256_set1_epi32(1)));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, even), 16);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i r = _mm256_blendv_epi8(rounded, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1));
}
inline V load(const bf16* p) { return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))}; }
inline void store(bf16* p, V a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow(a.v)); }
inline V load_n(const bf16* p, uint32_t n) {
  if (n >= W) return load(p);
  uint16_t part[W] = {};
  memcpy(part, p, n * sizeof(bf16));
  return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(part)))};
}
inline void store_n(bf16* p, V a, uint32_t n) {
  if (n >= W) return store(p, a);
  uint16_t part[W];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(part), narrow(a.v));
  memcpy(p, part, n * sizeof(bf16));
}

// Words of random numbers (philox.h): 4 of 64 bits, of which products read the lower half.
constexpr uint32_t kWordLanes = 4;
struct U {
  __m256i v;
};
inline U words(uint32_t x) { return {_mm256_set1_epi64x(x)}; }
inline U words_from(uint32_t first) {  // first, first + 1, ...
  return {_mm256_add_epi64(_mm256_set1_epi64x(first), _mm256_setr_epi64x(0, 1, 2, 3))};
}
inline U multiply(U a, U b) { return {_mm256_mul_epu32(a.v, b.v)}; }
// the upper half of a product, exclusive or b and c
inline U high_xor(U a, U b, U c) { return {_mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(a.v, 32), b.v), c.v)}; }
// Lower halves of a, b, c, d of each lane in turn: 4 kWordLanes words.
inline void store_words(uint32_t* p, U a, U b, U c, U d) {
  const __m256i ab = _mm256_blend_epi32(a.v, _mm256_slli_epi64(b.v, 32), 0xaa);
  const __m256i cd = _mm256_blend_epi32(c.v, _mm256_slli_epi64(d.v, 32), 0xaa);
  const __m256i even = _mm256_unpacklo_epi64(ab, cd), odd = _mm256_unpackhi_epi64(ab, cd);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}

}  // namespace
