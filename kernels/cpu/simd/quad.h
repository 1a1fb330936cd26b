// Products of 2 x 2 on AArch64: a register of A holds two rows, one of B two columns, one of C the four sums,
//
//   C[i][j] += sum_k A[i][k] B[k][j]      4 steps of bf16 into floats (BFMMLA), 8 of 8-bit integers into integers (SMMLA)
//
// BFMMLA adds two pairs one after the other. The sum of a pair and the addition of it each round to odd, and denormals count as zero
// (Arm ARM, BFDotAdd without FEAT_EBF16): an error of at most a unit in the last place where a float's own addition has half of one.
//
// Eight rows times 12 columns are 24 sums in registers; four registers of A and one of B fit beside them. So 24 products wait for 10
// loads of whole registers, nothing is broadcast, and there are enough sums for four units of 5 cycles each, or of three where a
// sum may come late. In a block of 32 columns (simd/block.h) two such parts are followed by one of 8 columns: 16 products, 8 loads.
#pragma once
#include <arm_neon.h>

#include "../kernel.h"
#include "block.h"

namespace {

using TileScope = NoScope;

constexpr uint32_t kQuadRows = 8;
constexpr uint32_t kOperandBytes = 16;

inline float32x4_t add_quad(float32x4_t c, uint8x16_t a, uint8x16_t b) {
  return vbfmmlaq_f32(c, vreinterpretq_bf16_u8(a), vreinterpretq_bf16_u8(b));
}
inline int32x4_t add_quad(int32x4_t c, uint8x16_t a, uint8x16_t b) {
  return vmmlaq_s32(c, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
}

// Both ways: two registers of columns 0 and 1 over two rows and of columns 2 and 3, or columns 0 to 3 of either row.
inline float32x4_t lower_halves(float32x4_t x, float32x4_t y) {
  return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(x), vreinterpretq_f64_f32(y)));
}
inline float32x4_t upper_halves(float32x4_t x, float32x4_t y) {
  return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(x), vreinterpretq_f64_f32(y)));
}
inline int32x4_t lower_halves(int32x4_t x, int32x4_t y) {
  return vreinterpretq_s32_s64(vzip1q_s64(vreinterpretq_s64_s32(x), vreinterpretq_s64_s32(y)));
}
inline int32x4_t upper_halves(int32x4_t x, int32x4_t y) {
  return vreinterpretq_s32_s64(vzip2q_s64(vreinterpretq_s64_s32(x), vreinterpretq_s64_s32(y)));
}
inline float32x4_t load_quads(const float* p) { return vld1q_f32(p); }
inline int32x4_t load_quads(const int32_t* p) { return vld1q_s32(p); }
inline void store_quads(float* p, float32x4_t x) { vst1q_f32(p, x); }
inline void store_quads(int32_t* p, int32x4_t x) { vst1q_s32(p, x); }
inline float32x4_t no_quads(const float*) { return vdupq_n_f32(0); }
inline int32x4_t no_quads(const int32_t*) { return vdupq_n_s32(0); }

// c[kQuadRows][2 kPairs], rows `c_row` apart, (+)= the sum over `groups` operands of each pair of lines: those of A follow one another
// at a + g a_step, those of B at b + g b_step (bytes).
template <uint32_t kPairs, size_t a_step, size_t b_step, class T>
__attribute__((always_inline)) inline void quads_product(uint32_t groups, const void* a, const void* b, T* c, ptrdiff_t c_row, bool add) {
  constexpr uint32_t kDown = kQuadRows / 2;
  static_assert(kPairs % 2 == 0, "four columns of a row are stored at once");
  const uint8_t *lines = static_cast<const uint8_t*>(a), *columns = static_cast<const uint8_t*>(b);
  decltype(no_quads(c)) acc[kDown][kPairs];
#pragma GCC unroll 4
  for (uint32_t i = 0; i < kDown; i++)
#pragma GCC unroll 8
    for (uint32_t j = 0; j < kPairs; j += 2) {
      const T* p = c + ptrdiff_t(2 * i) * c_row + 2 * j;
      const auto x = add ? load_quads(p) : no_quads(p), y = add ? load_quads(p + c_row) : no_quads(p);
      acc[i][j] = lower_halves(x, y), acc[i][j + 1] = upper_halves(x, y);
    }
#pragma GCC unroll 2
  for (uint32_t g = 0; g < groups; g++, lines += a_step, columns += b_step) {
    uint8x16_t left[kDown];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < kDown; i++) left[i] = vld1q_u8(lines + i * kOperandBytes);
#pragma GCC unroll 8
    for (uint32_t j = 0; j < kPairs; j++) {
      const uint8x16_t right = vld1q_u8(columns + j * kOperandBytes);
#pragma GCC unroll 4
      for (uint32_t i = 0; i < kDown; i++) acc[i][j] = add_quad(acc[i][j], left[i], right);
    }
  }
#pragma GCC unroll 4
  for (uint32_t i = 0; i < kDown; i++)
#pragma GCC unroll 8
    for (uint32_t j = 0; j < kPairs; j += 2) {
      T* p = c + ptrdiff_t(2 * i) * c_row + 2 * j;
      store_quads(p, lower_halves(acc[i][j], acc[i][j + 1]));
      store_quads(p + c_row, upper_halves(acc[i][j], acc[i][j + 1]));
    }
}

// C (+)= A B for one block of C, kept by rows; 32 lines of four steps are 64 words of a panel.
constexpr uint32_t kQuadSteps = 4;
constexpr uint32_t kQuadWords = kSide * kQuadSteps / 2;
__attribute__((noinline)) void block_product(uint32_t steps, const Pair* a, const Pair* b, float* c, bool add) {
  constexpr size_t step = kQuadWords * sizeof(Pair);
  constexpr uint32_t kWide = 12, kLineWords = kQuadSteps / 2;
  const uint32_t groups = steps * (kSide / kQuadSteps);
  for (uint32_t i = 0; i < kSide; i += kQuadRows) {
    uint32_t j = 0;
    for (; j + kWide <= kSide; j += kWide)
      quads_product<kWide / 2, step, step>(groups, a + i * kLineWords, b + j * kLineWords, c + i * kSide + j, kSide, add);
    quads_product<kSide % kWide / 2, step, step>(groups, a + i * kLineWords, b + j * kLineWords, c + i * kSide + j, kSide, add);
  }
}

// For peaks: `products` products of operands that stay in registers; returns a sum. Chains begin differently, for the compiler would
// compute equal ones once.
template <class Sum>
inline float quads_of_ones(uint32_t products, uint8x16_t ones, Sum first, Sum unit) {
  constexpr uint32_t kSums = 24;
  asm volatile("" : "+w"(ones)::"memory");  // or the compiler would see that every call gives the same, and call once
  Sum acc[kSums];
#pragma GCC unroll 24
  for (uint32_t i = 0; i < kSums; i++) acc[i] = first, first += unit;
  for (uint32_t p = 0; p < products; p += kSums)
#pragma GCC unroll 24
    for (uint32_t i = 0; i < kSums; i++) acc[i] = add_quad(acc[i], ones, ones);
  Sum all = acc[0];
#pragma GCC unroll 24
  for (uint32_t i = 1; i < kSums; i++) all += acc[i];
  return float(all[0]);
}

// steps x 1,024 multiply-adds; a product of bf16 has 16, of 8-bit integers 32.
inline float registers_product(uint32_t steps) {
  return quads_of_ones(steps * 64, vreinterpretq_u8_u16(vdupq_n_u16(0x3f80)), vdupq_n_f32(0), vdupq_n_f32(1));
}
inline float registers_product_int8(uint32_t steps) {
  return quads_of_ones(steps * 32, vdupq_n_u8(1), vdupq_n_s32(0), vdupq_n_s32(1));
}

}  // namespace
