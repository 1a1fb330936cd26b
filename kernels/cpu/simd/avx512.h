// Vector of 16 floats on AVX-512 (F, BW, DQ, VL). The same names stand in avx2.h and generic.h.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "../bf16.h"
#include "transpose.h"

namespace {

constexpr uint32_t W = 16;         // floats in a vector
constexpr uint32_t kRegisters = 32;

struct V {
  __m512 v;
};

inline V load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, V a) { _mm512_storeu_ps(p, a.v); }
inline __mmask16 first(uint32_t n) { return __mmask16(n >= 16 ? 0xffff : (1u << n) - 1); }
// The first n lanes; the others are 0 (load) or untouched (store).
inline V load_n(const float* p, uint32_t n) {
  touch(p, n, 16);
  return {_mm512_maskz_loadu_ps(first(n), p)};
}
inline void store_n(float* p, V a, uint32_t n) {
  touch(p, n, 16);
  _mm512_mask_storeu_ps(p, first(n), a.v);
}
inline V set1(float x) { return {_mm512_set1_ps(x)}; }
inline V zero() { return {_mm512_setzero_ps()}; }
inline V operator+(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
inline V operator-(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline V operator*(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline V operator/(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }
inline V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }  // a * b + c
inline V add_product(V c, V a, V b) { return fma(a, b, c); }  // see avx2.h
inline V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
inline V min(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }
inline V sqrt(V a) { return {_mm512_sqrt_ps(a.v)}; }
inline V round(V a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline V times_pow2(V a, V n) { return {_mm512_scalef_ps(a.v, n.v)}; }  // a 2^n for whole n
inline V select_less(V a, V b, V yes, V no) {                            // a < b ? yes : no
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
// The lanes i in which bits[i] >= threshold.
inline __mmask16 kept(const uint32_t* bits, uint32_t threshold) {
  return _mm512_cmpge_epu32_mask(_mm512_loadu_si512(bits), _mm512_set1_epi32(int(threshold)));
}
// bits[i] >= threshold ? a : 0
inline V keep(const uint32_t* bits, uint32_t threshold, V a) { return {_mm512_maskz_mov_ps(kept(bits, threshold), a.v)}; }
// The lanes of a whose bits from bit `from` of the word on are set, 0 in the others.
inline V only(uint32_t word, uint32_t from, V a) { return {_mm512_maskz_mov_ps(__mmask16(word >> from), a.v)}; }
// The first n lanes of a, those of b behind them.
inline V first_or(uint32_t n, V a, V b) { return {_mm512_mask_blend_ps(first(n), b.v, a.v)}; }
inline float sum(V a) { return _mm512_reduce_add_ps(a.v); }
inline float largest(V a) { return _mm512_reduce_max_ps(a.v); }

inline __m512 widen(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
inline __m256i narrow(__m512 x) {  // as to_bf16; the instruction differs in denormals, which kernels never make
#if defined(__AVX512BF16__)
  return __m256i(_mm512_cvtneps_pbh(x));
#else
  const __m512i u = _mm512_castps_si512(x), high = _mm512_srli_epi32(u, 16);
  const __m512i even = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(high, _mm512_set1_epi32(1)));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, even), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40)));
#endif
}
inline V load(const bf16* p) { return {widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
inline void store(bf16* p, V a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow(a.v)); }
#if defined(__SANITIZE_ADDRESS__)
inline void touch(const bf16* p, uint32_t n, uint32_t width) {  // as for floats, see kernel.h
  for (uint32_t i = 0; i < n && i < width; i++) (void)*static_cast<const volatile uint16_t*>(&p[i].bits);
}
#else
inline void touch(const bf16*, uint32_t, uint32_t) {}
#endif
inline __m256i halves(const bf16* p, uint32_t n) {
  touch(p, n, 16);
  return _mm256_maskz_loadu_epi16(first(n), p);
}
inline V load_n(const bf16* p, uint32_t n) { return {widen(halves(p, n))}; }
inline void store_n(bf16* p, V a, uint32_t n) {
  touch(p, n, 16);
  _mm256_mask_storeu_epi16(p, first(n), narrow(a.v));
}

// Words of random numbers (philox.h): 8 of 64 bits, of which products read the lower half.
constexpr uint32_t kWordLanes = 8;
struct U {
  __m512i v;
};
inline U words(uint32_t x) { return {_mm512_set1_epi64(x)}; }
inline U words_from(uint32_t first) {  // first, first + 1, ...
  return {_mm512_add_epi64(_mm512_set1_epi64(first), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7))};
}
inline U multiply(U a, U b) { return {_mm512_mul_epu32(a.v, b.v)}; }
// the upper half of a product, exclusive or b and c
inline U high_xor(U a, U b, U c) { return {_mm512_ternarylogic_epi64(_mm512_srli_epi64(a.v, 32), b.v, c.v, 0x96)}; }
// Lower halves of a, b, c, d of each lane in turn: 4 kWordLanes words.
inline void store_words(uint32_t* p, U a, U b, U c, U d) {
  const __m512i ab = _mm512_mask_shuffle_epi32(a.v, 0xaaaa, b.v, _MM_PERM_CCAA);
  const __m512i cd = _mm512_mask_shuffle_epi32(c.v, 0xaaaa, d.v, _MM_PERM_CCAA);
  _mm512_storeu_si512(p, _mm512_permutex2var_epi64(ab, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), cd));
  _mm512_storeu_si512(p + 16, _mm512_permutex2var_epi64(ab, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), cd));
}

}  // namespace
