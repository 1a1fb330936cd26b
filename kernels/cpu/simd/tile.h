// Tiles of AMX: eight registers of 16 rows of 64 bytes, and the product of two of them,
//
//   C[m][n] += sum_k A[m][2k] B[k][2n] + A[m][2k+1] B[k][2n+1]      C 16 x 16 floats, A 16 x 32 bf16, B 16 x 16 pairs
//   C[m][n] += sum_k sum_i A[m][4k+i] B[k][4n+i], i < 4             C 16 x 16 int32, A 16 x 64 int8, B 16 x 16 groups of four
//
// The instructions themselves (BIOALBERT_ISA_AMX), or the same in plain C++ (amx_emulated), by which everything built on
// tiles is tested where no processor has them: pairs are summed apart, even and odd terms, by fused multiply-adds, and their
// sum is added to C, as Intel's Architecture Instruction Set Extensions reference describes TDPBF16PS.
//
// A thread that uses tiles holds a TileScope. Configuring takes about 200 cycles and a kernel runs for a millisecond, so a
// scope lives as long as one call of a kernel: between kernels no thread carries 8 KiB of tiles through context switches.
#pragma once
#include "block.h"

namespace {

#if defined(BIOALBERT_ISA_AMX)

class TileScope {
 public:
  TileScope() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    static_assert(sizeof config == 64, "the format of LDTILECFG");
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~TileScope() { asm volatile("tilerelease" ::: "memory"); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

// Written out instead of the compilers' intrinsics: those take register numbers as tokens, and GCC's loads do not say
// that they read memory, so a store before one could be moved behind it.
template <int T>
inline void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(T));
}
// Rows of a tile lie `row` bytes apart.
template <int T>
inline void tile_load(const void* p, ptrdiff_t row = 64) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(row), "i"(T) : "memory");
}
template <int T>
inline void tile_store(void* p, ptrdiff_t row = 64) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(row), "i"(T) : "memory");
}
template <int C, int A, int B>
inline void tile_dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}
template <int C, int A, int B>
inline void tile_dot_int8() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

#else

struct EmulatedTiles {
  bool configured;
  alignas(64) uint32_t words[8][kTileWords];
};
thread_local EmulatedTiles emulated;

class TileScope {
 public:
  TileScope() { memset(&emulated, 0, sizeof emulated), emulated.configured = true; }
  ~TileScope() { emulated.configured = false; }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

// A tile without a scope is an invalid instruction to the processor, and ends the process here too.
template <int T>
inline uint32_t* tile() {
  if (!emulated.configured) __builtin_trap();
  return emulated.words[T];
}
template <int T>
inline void tile_zero() {
  memset(tile<T>(), 0, kTileWords * sizeof(uint32_t));
}
template <int T>
inline void tile_load(const void* p, ptrdiff_t row = 64) {
  for (uint32_t r = 0; r < 16; r++) memcpy(tile<T>() + r * 16, static_cast<const char*>(p) + r * row, 64);
}
template <int T>
inline void tile_store(void* p, ptrdiff_t row = 64) {
  for (uint32_t r = 0; r < 16; r++) memcpy(static_cast<char*>(p) + r * row, tile<T>() + r * 16, 64);
}
template <int C, int A, int B>
inline void tile_dot() {
  uint32_t* c = tile<C>();
  const uint32_t *a = tile<A>(), *b = tile<B>();
  for (uint32_t m = 0; m < 16; m++) {
    float even[16] = {}, odd[16] = {};
    for (uint32_t k = 0; k < 16; k++) {
      const float a0 = float_of(a[m * 16 + k] << 16), a1 = float_of(a[m * 16 + k] & 0xffff0000u);
      for (uint32_t n = 0; n < 16; n++) even[n] = __builtin_fmaf(a0, float_of(b[k * 16 + n] << 16), even[n]);
      for (uint32_t n = 0; n < 16; n++) odd[n] = __builtin_fmaf(a1, float_of(b[k * 16 + n] & 0xffff0000u), odd[n]);
    }
    for (uint32_t n = 0; n < 16; n++) {
      const float sum = float_of(c[m * 16 + n]) + (even[n] + odd[n]);
      memcpy(c + m * 16 + n, &sum, sizeof sum);
    }
  }
}
template <int C, int A, int B>
inline void tile_dot_int8() {
  uint32_t* c = tile<C>();
  const int8_t *a = reinterpret_cast<const int8_t*>(tile<A>()), *b = reinterpret_cast<const int8_t*>(tile<B>());
  for (uint32_t m = 0; m < 16; m++)
    for (uint32_t k = 0; k < 16; k++)
      for (uint32_t n = 0; n < 16; n++)
        for (uint32_t i = 0; i < 4; i++) c[m * 16 + n] += uint32_t(int32_t(a[m * 64 + k * 4 + i]) * b[(k * 16 + n) * 4 + i]);
}

#endif

// C (+)= A B for one block of C, `steps` tiles along K; c holds its four tiles one after the other.
__attribute__((noinline)) void block_product(uint32_t steps, const Pair* a, const Pair* b, float* c, bool add) {
  if (add) {
    tile_load<0>(c), tile_load<1>(c + kTileWords), tile_load<2>(c + 2 * kTileWords), tile_load<3>(c + 3 * kTileWords);
  } else {
    tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  }
  for (uint32_t s = 0; s < steps; s++) {
    tile_load<4>(a), tile_load<6>(b);
    tile_dot<0, 4, 6>();
    tile_load<7>(b + kTileWords);
    tile_dot<1, 4, 7>();
    tile_load<5>(a + kTileWords);
    tile_dot<2, 5, 6>();
    tile_dot<3, 5, 7>();
    a += kPanelWords, b += kPanelWords;
  }
  tile_store<0>(c), tile_store<1>(c + kTileWords), tile_store<2>(c + 2 * kTileWords), tile_store<3>(c + 3 * kTileWords);
}

// For peaks: operands and sums that stay in tiles, and `products` products of them; returns a sum.
template <class F>
inline float tiles_from_ones(uint32_t ones, uint32_t products, F four) {
  alignas(64) uint32_t operand[kTileWords], sums[kTileWords];
  for (uint32_t i = 0; i < kTileWords; i++) operand[i] = ones;
  tile_load<4>(operand), tile_load<5>(operand), tile_load<6>(operand), tile_load<7>(operand);
  tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  for (uint32_t i = 0; i < products / 4; i++) four();
  tile_store<0>(sums);
  return float(sums[0] & 0xffff);
}

// steps x 1,024 multiply-adds on operands that stay in registers; a product of tiles has 8,192, of 8-bit integers twice as many.
inline float registers_product(uint32_t steps) {
  return tiles_from_ones(0x3f803f80u, steps / 8,
                         [] { tile_dot<0, 4, 6>(), tile_dot<1, 4, 7>(), tile_dot<2, 5, 6>(), tile_dot<3, 5, 7>(); });
}
inline float registers_product_int8(uint32_t steps) {
  return tiles_from_ones(0x01010101u, steps / 16, [] {
    tile_dot_int8<0, 4, 6>(), tile_dot_int8<1, 4, 7>(), tile_dot_int8<2, 5, 6>(), tile_dot_int8<3, 5, 7>();
  });
}

}  // namespace
