// Vector of 4 floats on AArch64 (Advanced SIMD, 32 registers). The same names stand in avx2.h, avx512.h and generic.h. There are no
// masked loads and stores: tails go through memory.
#pragma once
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../bf16.h"

namespace {

constexpr uint32_t W = 4;
constexpr uint32_t kRegisters = 32;

struct V {
  float32x4_t v;
};

inline V load(const float* p) { return {vld1q_f32(p)}; }
inline void store(float* p, V a) { vst1q_f32(p, a.v); }
inline V load_n(const float* p, uint32_t n) {
  if (n >= W) return load(p);
  float part[W] = {};
  memcpy(part, p, n * sizeof(float));
  return load(part);
}
inline void store_n(float* p, V a, uint32_t n) {
  if (n >= W) return store(p, a);
  float part[W];
  store(part, a);
  memcpy(p, part, n * sizeof(float));
}
inline V set1(float x) { return {vdupq_n_f32(x)}; }
inline V zero() { return set1(0.0f); }
inline V operator+(V a, V b) { return {vaddq_f32(a.v, b.v)}; }
inline V operator-(V a, V b) { return {vsubq_f32(a.v, b.v)}; }
inline V operator*(V a, V b) { return {vmulq_f32(a.v, b.v)}; }
inline V operator/(V a, V b) { return {vdivq_f32(a.v, b.v)}; }
inline V fma(V a, V b, V c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
inline V add_product(V c, V a, V b) { return fma(a, b, c); }  // see avx2.h
// c + a[lane] b: the instruction takes a lane of a register, so nothing is broadcast. A broadcast that loads (ld1r) would take one
// of the units that multiply.
#define BIOALBERT_PRODUCTS_BY_LANE
inline V add_lane_product(V c, V a, uint32_t lane, V b) { return {vfmaq_n_f32(c.v, b.v, a.v[lane])}; }
// The second operand where one is NaN, as on x86; fmax and fmin would give NaN.
inline V max(V a, V b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
inline V min(V a, V b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
inline V sqrt(V a) { return {vsqrtq_f32(a.v)}; }
inline V round(V a) { return {vrndnq_f32(a.v)}; }
// a 2^n for whole n by adding to the exponent: a and the result are neither denormal nor infinite, or a is NaN and so is n. (In the
// exponential 2^128 comes with an a below 1, 2^-126 with one of at least 1.)
inline V times_pow2(V a, V n) {
  return {vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a.v), vshlq_n_s32(vcvtq_s32_f32(n.v), 23)))};
}
inline V select_less(V a, V b, V yes, V no) { return {vbslq_f32(vcltq_f32(a.v, b.v), yes.v, no.v)}; }
inline V masked(uint32x4_t mask, V a) { return {vreinterpretq_f32_u32(vandq_u32(mask, vreinterpretq_u32_f32(a.v)))}; }
inline uint32x4_t at_least(const uint32_t* bits, uint32_t threshold) { return vcgeq_u32(vld1q_u32(bits), vdupq_n_u32(threshold)); }
inline V keep(const uint32_t* bits, uint32_t threshold, V a) { return masked(at_least(bits, threshold), a); }
constexpr uint32x4_t kLane = {0, 1, 2, 3}, kLaneBit = {1, 2, 4, 8};
// The lanes i in which bits[i] >= threshold, as bits of a word.
inline uint32_t kept(const uint32_t* bits, uint32_t threshold) {
  return vaddvq_u32(vandq_u32(at_least(bits, threshold), kLaneBit));
}
// The lanes of a whose bits from bit `from` of the word on are set, 0 in the others.
inline V only(uint32_t word, uint32_t from, V a) {
  return masked(vtstq_u32(vdupq_n_u32(word), vshlq_u32(kLaneBit, vdupq_n_s32(int32_t(from)))), a);
}
// The first n lanes of a, those of b behind them.
inline V first_or(uint32_t n, V a, V b) { return {vbslq_f32(vcltq_u32(kLane, vdupq_n_u32(n)), a.v, b.v)}; }
inline float sum(V a) { return vaddvq_f32(a.v); }  // of neighbours first
inline float largest(V a) {
  const float x = a.v[0] > a.v[1] ? a.v[0] : a.v[1], y = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return x > y ? x : y;
}

inline V widen(uint16x4_t halves) { return {vreinterpretq_f32_u32(vshll_n_u16(halves, 16))}; }
inline uint16x4_t narrow(V x) {  // as to_bf16
#if defined(__ARM_FEATURE_BF16)
  return vreinterpret_u16_bf16(vcvt_bf16_f32(x.v));
#else
  const uint32x4_t u = vreinterpretq_u32_f32(x.v), high = vshrq_n_u32(u, 16);
  const uint32x4_t even = vaddq_u32(vdupq_n_u32(0x7fff), vandq_u32(high, vdupq_n_u32(1)));
  const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(u, even), 16), number = vceqq_f32(x.v, x.v);
  return vmovn_u32(vbslq_u32(number, rounded, vorrq_u32(high, vdupq_n_u32(0x40))));
#endif
}
inline const uint16_t* bits_of(const bf16* p) { return reinterpret_cast<const uint16_t*>(p); }
inline V load(const bf16* p) { return widen(vld1_u16(bits_of(p))); }
inline void store(bf16* p, V a) { vst1_u16(reinterpret_cast<uint16_t*>(p), narrow(a)); }
inline V load_n(const bf16* p, uint32_t n) {
  if (n >= W) return load(p);
  uint16_t part[W] = {};
  memcpy(part, p, n * sizeof(bf16));
  return widen(vld1_u16(part));
}
inline void store_n(bf16* p, V a, uint32_t n) {
  if (n >= W) return store(p, a);
  uint16_t part[W];
  vst1_u16(part, narrow(a));
  memcpy(p, part, n * sizeof(bf16));
}

// Words of random numbers (philox.h): 2 of 64 bits, of which products read the lower half.
constexpr uint32_t kWordLanes = 2;
struct U {
  uint64x2_t v;
};
inline U words(uint32_t x) { return {vdupq_n_u64(x)}; }
inline U words_from(uint32_t first) { return {vcombine_u64(vcreate_u64(first), vcreate_u64(uint64_t(first) + 1))}; }
inline U multiply(U a, U b) { return {vmull_u32(vmovn_u64(a.v), vmovn_u64(b.v))}; }
// the upper half of a product, exclusive or b and c
inline U high_xor(U a, U b, U c) { return {veorq_u64(veorq_u64(vshrq_n_u64(a.v, 32), b.v), c.v)}; }
// Lower halves of a, b, c, d of each lane in turn: 4 kWordLanes words.
inline void store_words(uint32_t* p, U a, U b, U c, U d) {
  const uint32x4_t ab = vtrn1q_u32(vreinterpretq_u32_u64(a.v), vreinterpretq_u32_u64(b.v));
  const uint32x4_t cd = vtrn1q_u32(vreinterpretq_u32_u64(c.v), vreinterpretq_u32_u64(d.v));
  vst1q_u32(p, vcombine_u32(vget_low_u32(ab), vget_low_u32(cd)));
  vst1q_u32(p + 4, vcombine_u32(vget_high_u32(ab), vget_high_u32(cd)));
}

// Transposes 4 x 4 floats: to[j * to_row + i] = from[i * from_row + j].
constexpr uint32_t kTranspose = 4;
template <uint32_t lines = kTranspose>
inline void transpose(const float* from, ptrdiff_t from_row, float* to, ptrdiff_t to_row) {
  static_assert(lines == kTranspose, "rows of a tile come in fours");
  const float32x4_t r0 = vld1q_f32(from), r1 = vld1q_f32(from + from_row);
  const float32x4_t r2 = vld1q_f32(from + 2 * from_row), r3 = vld1q_f32(from + 3 * from_row);
  const float32x4x2_t a = vtrnq_f32(r0, r1), b = vtrnq_f32(r2, r3);
  vst1q_f32(to, vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0])));
  vst1q_f32(to + to_row, vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1])));
  vst1q_f32(to + 2 * to_row, vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0])));
  vst1q_f32(to + 3 * to_row, vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1])));
}

}  // namespace
