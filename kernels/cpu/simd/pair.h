// Blocks of C by products of pairs of bf16, on registers of 16 floats:
//
//   c[n] = (c[n] + a[1] b[n][1]) + a[0] b[n][0]      for 16 columns n
//
// The instruction itself (AVX512-BF16), or the same in plain C++ (avx512_bf16_emulated): a product of two bf16 is exact in
// f32, each of the two additions rounds, denormals count as zero (a million random triples on a Zen 4 gave these bits).
//
// A block is computed eight rows at a time: 16 sums in registers, for each pair of steps two vectors of B and a pair of A
// broadcast for each row. So 16 products wait for 10 loads, of which two are whole vectors: multiplying is the limit where A
// and B lie in L1, and there is room for one of them to come from L2.
#pragma once
#include "tile_order.h"

namespace {

using TileScope = NoScope;

#if defined(BIOALBERT_ISA_AVX512_BF16)

// Written out so that the sum stays in its register, and A is broadcast once for both vectors of B.
inline __m512 add_pairs(__m512 c, __m512i a, __m512i b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
  return c;
}

#else

inline __m512 add_pairs(__m512 c, __m512i a, __m512i b) {
  alignas(64) float sums[16];
  alignas(64) Pair ap[16], bp[16];
  _mm512_store_ps(sums, c);
  _mm512_store_si512(ap, a), _mm512_store_si512(bp, b);
  const auto flushed = [](float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; };
  const auto high = [&](Pair x) { return flushed(float_of(x & 0xffff0000u)); };
  const auto low = [&](Pair x) { return flushed(float_of(x << 16)); };
  for (uint32_t n = 0; n < 16; n++) {
    const float first = flushed(flushed(sums[n]) + flushed(high(ap[n]) * high(bp[n])));
    sums[n] = flushed(first + flushed(low(ap[n]) * low(bp[n])));
  }
  return _mm512_load_ps(sums);
}

#endif

constexpr uint32_t kPairRows = 8;

__attribute__((noinline)) void block_product(uint32_t steps, const Pair* a, const Pair* b, float* c, bool add) {
  for (uint32_t r0 = 0; r0 < kSide; r0 += kPairRows) {
    // rows r0 .. r0 + 7 of A and C lie in the upper or in the lower pair of tiles
    float* sums = c + r0 / 16 * 2 * kTileWords + r0 % 16 * 16;
    const Pair *lines = a + r0 / 16 * kTileWords + r0 % 16 * 16, *panel = b;
    __m512 acc[kPairRows][2];
#pragma GCC unroll 8
    for (uint32_t r = 0; r < kPairRows; r++)
      for (uint32_t v = 0; v < 2; v++)
        acc[r][v] = add ? _mm512_load_ps(sums + r * 16 + v * kTileWords) : _mm512_setzero_ps();
    for (uint32_t s = 0; s < steps; s++, lines += kPanelWords, panel += kPanelWords) {
#pragma GCC unroll 2
      for (uint32_t k = 0; k < 16; k++) {
        const __m512i left = _mm512_loadu_si512(panel + k * 16), right = _mm512_loadu_si512(panel + kTileWords + k * 16);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < kPairRows; r++) {
          const __m512i pair = _mm512_set1_epi32(int(lines[r * 16 + k]));
          acc[r][0] = add_pairs(acc[r][0], pair, left);
          acc[r][1] = add_pairs(acc[r][1], pair, right);
        }
      }
    }
#pragma GCC unroll 8
    for (uint32_t r = 0; r < kPairRows; r++)
      for (uint32_t v = 0; v < 2; v++) _mm512_store_ps(sums + r * 16 + v * kTileWords, acc[r][v]);
  }
}

// steps x 1,024 multiply-adds on operands that stay in registers, of ones; returns their sum. Chains begin differently, for the
// compiler would compute equal ones once.
inline float registers_product(uint32_t steps) {
  constexpr uint32_t kChains = 16;
  asm volatile("" ::: "memory");  // or the compiler would see that every call gives the same, and call once
  const __m512i ones = _mm512_set1_epi16(0x3f80);
  __m512 acc[kChains];
#pragma GCC unroll 16
  for (uint32_t i = 0; i < kChains; i++) acc[i] = _mm512_set1_ps(float(i));
  for (uint32_t s = 0; s < steps; s++)
#pragma GCC unroll 32
    for (uint32_t i = 0; i < 2 * kChains; i++) acc[i % kChains] = add_pairs(acc[i % kChains], ones, ones);
  __m512 all = _mm512_setzero_ps();
#pragma GCC unroll 16
  for (uint32_t i = 0; i < kChains; i++) all = _mm512_add_ps(all, acc[i]);
  return _mm512_reduce_add_ps(all);
}

}  // namespace
