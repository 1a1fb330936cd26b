// Products of 8-bit integers with exact 32-bit sums, by the instructions that each instruction set has for them.
//
//   Sums       W sums of 32 bits, one for each column
//   Quantised  how a quantised activation is stored: whole numbers q in [-127, 127], plus kOffset
//   kGroup     steps of K that one instruction sums
//   load_weights(b)   kGroup steps of W columns, those of a column side by side; int8_t in memory
//   load_group(a)     kGroup steps of one row for all columns
//   dot(s, a, b)      s + sum over the group of (q + kOffset) w
//
// Tiles (tdpbssd) and AArch64's sdot and smmla sum products of two s8, so nothing is offset. VNNI (vpdpbusd) sums four products of a
// u8 with an s8, so activations are offset and the sums start at -kOffset times the sum of the weights. Elsewhere both are widened
// to 16 bits and pmaddwd sums two products, which fit 32 bits; pmaddubsw would sum them in 16 bits and saturate.
//
// sdot takes a lane of a register as an operand, so there rows stand side by side (BIOALBERT_INT8_BY_LANE), and load_group and dot are
// a register of several rows and dot_lane.
#pragma once
#include "../kernel.h"

namespace {

#if defined(BIOALBERT_TILES_INT8)  // 64 steps at a time, see int8_gemm.h: only how operands are stored is needed here

constexpr uint32_t kGroup = 4;
constexpr int32_t kOffset = 0;
using Quantised = int8_t;
struct Sums {
  __m512i v;
};

#elif defined(__AVX512VNNI__)

constexpr uint32_t kGroup = 4;
constexpr int32_t kOffset = 128;
using Quantised = uint8_t;
struct Sums {
  __m512i v;
};
inline __m512i load_weights(const int8_t* b) { return _mm512_loadu_si512(b); }
inline Sums dot(Sums s, __m512i a, __m512i b) { return {_mm512_dpbusd_epi32(s.v, a, b)}; }

#elif defined(__AVX512F__)

constexpr uint32_t kGroup = 2;
constexpr int32_t kOffset = 0;
using Quantised = int16_t;
struct Sums {
  __m512i v;
};
inline __m512i load_weights(const int8_t* b) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
}
inline Sums dot(Sums s, __m512i a, __m512i b) { return {_mm512_add_epi32(s.v, _mm512_madd_epi16(a, b))}; }

#elif defined(__AVX2__)

constexpr uint32_t kGroup = 2;
constexpr int32_t kOffset = 0;
using Quantised = int16_t;
struct Sums {
  __m256i v;
};
inline __m256i load_weights(const int8_t* b) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
}
inline Sums dot(Sums s, __m256i a, __m256i b) { return {_mm256_add_epi32(s.v, _mm256_madd_epi16(a, b))}; }

#elif defined(BIOALBERT_NEON)

struct Sums {
  int32x4_t v;
};
#if defined(BIOALBERT_QUADS)  // two rows at a time, see simd/quad.h: only how operands are stored is needed here
constexpr uint32_t kGroup = 8;
constexpr int32_t kOffset = 0;
using Quantised = int8_t;
#elif defined(__ARM_FEATURE_DOTPROD)
#define BIOALBERT_INT8_BY_LANE
constexpr uint32_t kGroup = 4;
constexpr int32_t kOffset = 0;
using Quantised = int8_t;
inline int8x16_t load_weights(const int8_t* b) { return vld1q_s8(b); }
inline int8x16_t load_group(const Quantised* a) { return vld1q_s8(a); }
inline Sums dot_lane(Sums s, int8x16_t a, uint32_t lane, int8x16_t b) {  // a known number, which the instruction holds
  return {lane == 0   ? vdotq_laneq_s32(s.v, b, a, 0)
          : lane == 1 ? vdotq_laneq_s32(s.v, b, a, 1)
          : lane == 2 ? vdotq_laneq_s32(s.v, b, a, 2)
                      : vdotq_laneq_s32(s.v, b, a, 3)};
}
inline Sums dot(Sums s, int8x16_t a, int8x16_t b) { return dot_lane(s, a, 0, b); }
#else
constexpr uint32_t kGroup = 2;
constexpr int32_t kOffset = 0;
using Quantised = int16_t;
inline int16x8_t load_weights(const int8_t* b) { return vmovl_s8(vld1_s8(b)); }
inline Sums dot(Sums s, int16x8_t a, int16x8_t b) {
  return {vaddq_s32(s.v, vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b)))};
}
#endif

#else

constexpr uint32_t kGroup = 2;
constexpr int32_t kOffset = 0;
using Quantised = int16_t;
struct Sums {
  int32_t v[W];
};
struct Halves {
  int16_t v[2 * W];
};
inline Halves load_weights(const int8_t* b) {
  Halves r;
  for (uint32_t i = 0; i < 2 * W; i++) r.v[i] = b[i];
  return r;
}
inline Sums dot(Sums s, Halves a, Halves b) {
  for (uint32_t i = 0; i < W; i++) s.v[i] += a.v[2 * i] * b.v[2 * i] + a.v[2 * i + 1] * b.v[2 * i + 1];
  return s;
}

#endif

constexpr uint32_t kVectorBytes = kGroup * W;  // of weights

// What stands at p as the bits of an int32_t.
inline int32_t word_at(const void* p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

#if defined(__AVX512F__)

#if !defined(BIOALBERT_TILES_INT8)
inline __m512i load_group(const Quantised* a) { return _mm512_set1_epi32(word_at(a)); }
#endif
inline Sums load_sums(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store_sums(int32_t* p, Sums s) { _mm512_storeu_si512(p, s.v); }
inline V to_floats(const int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
// Lane by lane the larger of `most` and the bits of |a|: as whole numbers magnitudes are in order, NaN above infinity.
inline Sums larger_bits(Sums most, V a) {
  return {_mm512_max_epi32(most.v, _mm512_and_epi32(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x7fffffff)))};
}
inline void store_quantised(uint8_t* to, V a) {
  const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(a.v), _mm512_set1_epi32(kOffset));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(q));
}
inline void store_quantised(int8_t* to, V a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
inline void store_quantised(int16_t* to, V a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a.v)));
}

#elif defined(__AVX2__)

inline __m256i load_group(const Quantised* a) { return _mm256_set1_epi32(word_at(a)); }
inline Sums load_sums(const int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
inline void store_sums(int32_t* p, Sums s) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), s.v); }
inline V to_floats(const int32_t* p) { return {_mm256_cvtepi32_ps(load_sums(p).v)}; }
inline Sums larger_bits(Sums most, V a) {
  return {_mm256_max_epi32(most.v, _mm256_and_si256(_mm256_castps_si256(a.v), _mm256_set1_epi32(0x7fffffff)))};
}
inline __m128i narrow_to_halves(V a) {
  const __m256i q = _mm256_cvtps_epi32(a.v);
  return _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
}
inline void store_quantised(int16_t* to, V a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), narrow_to_halves(a)); }
inline void store_quantised(int8_t* to, V a) {
  const __m128i q = narrow_to_halves(a);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(q, q));
}

#elif defined(BIOALBERT_NEON)

#if !defined(__ARM_FEATURE_DOTPROD)
inline int16x8_t load_group(const Quantised* a) { return vreinterpretq_s16_s32(vdupq_n_s32(word_at(a))); }
#endif
inline Sums load_sums(const int32_t* p) { return {vld1q_s32(p)}; }
inline void store_sums(int32_t* p, Sums s) { vst1q_s32(p, s.v); }
inline V to_floats(const int32_t* p) { return {vcvtq_f32_s32(vld1q_s32(p))}; }
inline Sums larger_bits(Sums most, V a) {
  return {vmaxq_s32(most.v, vandq_s32(vreinterpretq_s32_f32(a.v), vdupq_n_s32(0x7fffffff)))};
}
inline int16x4_t narrow_to_halves(V a) { return vmovn_s32(vcvtnq_s32_f32(a.v)); }
inline void store_quantised(int16_t* to, V a) { vst1_s16(to, narrow_to_halves(a)); }
inline void store_quantised(int8_t* to, V a) {
  const int16x4_t q = narrow_to_halves(a);
  const int8x8_t bytes = vmovn_s16(vcombine_s16(q, q));
  memcpy(to, &bytes, W);
}

#else

inline Halves load_group(const Quantised* a) {
  Halves r;
  for (uint32_t i = 0; i < 2 * W; i++) r.v[i] = a[i % 2];
  return r;
}
inline Sums load_sums(const int32_t* p) {
  Sums s;
  memcpy(&s, p, sizeof s);
  return s;
}
inline void store_sums(int32_t* p, Sums s) { memcpy(p, &s, sizeof s); }
inline V to_floats(const int32_t* p) {
  V r;
  for (uint32_t i = 0; i < W; i++) r.v[i] = float(p[i]);
  return r;
}
inline Sums larger_bits(Sums most, V a) {
  for (uint32_t i = 0; i < W; i++) {
    const int32_t bits = word_at(&a.v[i]) & 0x7fffffff;
    if (bits > most.v[i]) most.v[i] = bits;
  }
  return most;
}
template <class T>
inline void store_quantised(T* to, V a) {
  for (uint32_t i = 0; i < W; i++) to[i] = T(int32_t(nearbyintf(a.v[i])));
}

#endif

}  // namespace
