// Tiles of bf16 in shared memory for the forms of attention on mma.sync: copies from and to rows of activations, and
// fragments for the tensor cores.
//
// A row of a tile has kD elements and 16 bytes more, so that the eight rows which ldmatrix takes at once begin at eight
// different places of 16 bytes among the banks. Columns from D on and rows that are not there are zeros: so products need
// no bounds, and what lies in memory behind a sequence gets into no result.
#pragma once
#include "attention.cuh"
#include "mma.cuh"

namespace {

// What the largest score may grow by, to the base of 2, before the exponentials' reference follows: sums stay far from the ends
// of f32, and are rarely multiplied (Dao's FlashAttention-4).
constexpr float kSlack = 8;

constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

template <uint32_t kRows, uint32_t kD>
struct Tile {
  static constexpr uint32_t kPitch = kD + 8;
  alignas(16) bf16 at[kRows * kPitch];
  __device__ __forceinline__ bf16* row(uint32_t r) { return at + r * kPitch; }
};

// Starts copies of rows from `from` on, of which `there` exist. Complete after cp_async_wait and a barrier.
template <uint32_t kThreads, uint32_t kRows, uint32_t kD>
__device__ __forceinline__ void load_tile(const Attention& call, Tile<kRows, kD>& to, const bf16* from, size_t row, uint32_t there) {
  constexpr uint32_t kChunks = kD / 8;
  if (call.vector) {
#pragma unroll 4
    for (uint32_t i = threadIdx.x; i < kRows * kChunks; i += kThreads) {
      const uint32_t r = i / kChunks, c = i % kChunks * 8;
      const bool is = r < there && c < call.D;
      cp_async_16(to.row(r) + c, is ? from + r * row + c : from, is);
    }
  } else {
    for (uint32_t i = threadIdx.x; i < kRows * kChunks; i += kThreads) {
      const uint32_t r = i / kChunks, c = i % kChunks * 8;
#pragma unroll 1
      for (uint32_t e = c; e < c + 8; e++) to.row(r)[e] = r < there && e < call.D ? from[r * row + e] : bf16{0};
    }
  }
}

// A warp writes 16 rows of a tile, `there` of them, columns below `width`.
template <uint32_t kRows, uint32_t kD>
__device__ __forceinline__ void store_rows(bool vector, Tile<kRows, kD>& from, uint32_t first, uint32_t there, uint32_t width, bf16* to,
                                           size_t row) {
  constexpr uint32_t kChunks = kD / 8;
#pragma unroll 4
  for (uint32_t i = lane(); i < 16 * kChunks; i += kWarp) {
    const uint32_t r = i / kChunks, c = i % kChunks * 8;
    if (r >= there || c >= width) continue;
    const bf16* p = from.row(first + r) + c;
    if (vector)
      *reinterpret_cast<uint4*>(to + r * row + c) = *reinterpret_cast<const uint4*>(p);
    else
      for (uint32_t e = 0; e < 8 && c + e < width; e++) to[r * row + c + e] = p[e];
  }
}

// 16 x 16 of a tile as four matrices. `down`: the first two below each other, as A of rows (A [m][k]) has them, and B of
// columns (B [k][n], with `trans`, two blocks of eight n). Else beside each other: B of rows (B [n][k], two blocks of eight n),
// and A of columns (A [k][m], with `trans`).
template <bool kDown, bool kTrans, uint32_t kRows, uint32_t kD>
__device__ __forceinline__ void load_fragment(uint32_t (&r)[4], Tile<kRows, kD>& tile, uint32_t row, uint32_t column) {
  const uint32_t l = lane(), near = l / 8 % 2 * 8, far = l / 16 * 8;
  const bf16* p = tile.row(row + l % 8 + (kDown ? near : far)) + column + (kDown ? far : near);
  if (kTrans)
    ldmatrix_x4_trans(r, p);
  else
    ldmatrix_x4(r, p);
}

// d0 and d1 += a times two blocks of eight columns.
__device__ __forceinline__ void mma_two(float (&d0)[4], float (&d1)[4], const uint32_t (&a)[4], const uint32_t (&b)[4]) {
  const uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
  mma_m16n8k16(d0, a, b0);
  mma_m16n8k16(d1, a, b1);
}

// A of 16 rows of accumulators' columns 16k to 16k + 15: two blocks of eight.
__device__ __forceinline__ void pack_a(uint32_t (&a)[4], const float (&low)[4], const float (&high)[4]) {
  a[0] = pack_bf16(low[0], low[1]), a[1] = pack_bf16(low[2], low[3]);
  a[2] = pack_bf16(high[0], high[1]), a[3] = pack_bf16(high[2], high[3]);
}

// Accumulators of 16 rows, times a factor for rows g and g + 8, as bf16 into rows of a tile.
template <uint32_t kBlocks, uint32_t kRows, uint32_t kD>
__device__ __forceinline__ void put_rows(Tile<kRows, kD>& to, uint32_t first, const float (&sums)[kBlocks][4], float low, float high) {
  const uint32_t g = lane() / 4, t = lane() % 4;
#pragma unroll
  for (uint32_t n = 0; n < kBlocks; n++) {
    *reinterpret_cast<uint32_t*>(to.row(first + g) + 8 * n + 2 * t) = pack_bf16(sums[n][0] * low, sums[n][1] * low);
    *reinterpret_cast<uint32_t*>(to.row(first + g + 8) + 8 * n + 2 * t) = pack_bf16(sums[n][2] * high, sums[n][3] * high);
  }
}

template <uint32_t kBlocks>
__device__ __forceinline__ void clear(float (&sums)[kBlocks][4]) {
#pragma unroll
  for (uint32_t n = 0; n < kBlocks; n++)
#pragma unroll
    for (uint32_t e = 0; e < 4; e++) sums[n][e] = 0;
}

// Sum and maximum over the four lanes that have a row of accumulators.
__device__ __forceinline__ float quad_sum(float v) {
  v += __shfl_xor_sync(kWholeWarp, v, 1u);
  return v + __shfl_xor_sync(kWholeWarp, v, 2u);
}
__device__ __forceinline__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, 1u));
  return fmaxf(v, __shfl_xor_sync(kWholeWarp, v, 2u));
}

}  // namespace
