// Attention in bf16 on sm_90a, what forward and backward share: tiles of 64 rows of a head of 64 that the copy engine brings,
// rings of them, tasks, and fragments of wgmma.
//
// A tile is 64 rows of 128 bytes, 8 KB, in the 128-byte swizzle: K-major as rows of queries and keys, MN-major as what is
// summed over (values; dy, queries and keys backward). The copy engine knows no sequences, so the last tile of one brings rows of
// the next; where they would be summed over, which a zero does not hide if they are NaN, warps of the copying warpgroup
// clear them before the tile is given on.
// Blocks stay on their multiprocessors and take tasks in turn. One warp looks tasks up and writes them into a ring, so that the
// search for a sequence (attention.cuh) costs nobody else.
#pragma once
#include "attention_mask.cuh"
#include "attention_tile.cuh"
#include "wgmma.cuh"

namespace {

constexpr uint32_t kTileRows = 64, kTileBytes = kTileRows * 128;

struct HopperTile64 {
  alignas(1024) bf16 at[kTileRows * 64];
};

// threadIdx.x and blockIdx.x read anew, so that what is computed from them does not wait in registers.
__device__ __forceinline__ uint32_t thread_anew() {
#if defined(__CUDACC__)
  uint32_t thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
#else
  return threadIdx.x;
#endif
}
__device__ __forceinline__ uint32_t block_anew() {
#if defined(__CUDACC__)
  uint32_t block;
  asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(block));
  return block;
#else
  return blockIdx.x;
#endif
}

// Loads that stand below are not made above, where their results would wait in registers.
__device__ __forceinline__ void loads_stay_below() {
#if defined(__CUDACC__)
  asm volatile("" ::: "memory");
#endif
}

// The place of the n-th use of a ring of kStages, and the parity of its turn.
template <uint32_t kStages>
struct Place {
  uint32_t stage, parity;
  __device__ __forceinline__ explicit Place(uint32_t n) : stage(n % kStages), parity(n / kStages & 1) {}
};

// Where 16 bytes of a tile lie: chunk (of 8) of a row.
__device__ __forceinline__ bf16* chunk_of(HopperTile64& tile, uint32_t row, uint32_t chunk) {
  return tile.at + row * 64 + (chunk ^ row % 8) * 8;
}

// As an operand of wgmma; only the lower half of a descriptor counts bytes.
struct TileDescriptor {
  uint32_t low, high;
  __device__ __forceinline__ explicit TileDescriptor(const HopperTile64& tile) {
    const uint64_t whole = descriptor(tile.at, kTileBytes, 1024, Swizzle::b128);
    low = uint32_t(whole), high = uint32_t(whole >> 32);
  }
  __device__ __forceinline__ uint64_t further(uint32_t bytes) const { return uint64_t(high) << 32 | (low + bytes / 16); }
};
// The next 16 of k.
constexpr uint32_t kFurtherInRow = 32, kFurtherRows = 2048;

// A of rows 16 w to 16 w + 15 of a tile, w the warp of its warpgroup.
__device__ __forceinline__ void load_rows_of_warp(uint32_t (&a)[4][4], HopperTile64& tile) {
  const uint32_t l = lane(), row = warp() % 4 * 16 + l % 16;
#pragma unroll
  for (uint32_t k = 0; k < 4; k++) ldmatrix_x4(a[k], chunk_of(tile, row, 2 * k + l / 16));
}

// Zeros in rows `there` to 63, by a warp; then the tile may be given to wgmma.
__device__ __forceinline__ void clear_tail(HopperTile64& tile, uint32_t there) {
  for (uint32_t i = there * 8 + lane(); i < kTileRows * 8; i += kWarp) *reinterpret_cast<uint4*>(tile.at + i * 8) = make_uint4(0, 0, 0, 0);
  fence_async();
  __syncwarp();
}

// One lane arrives for its warp, when all lanes have come.
__device__ __forceinline__ void arrive_warp(Mbarrier& b) {
  __syncwarp();
  if (lane() == 0) mbarrier_arrive(b);
}

// a of 16 k from accumulators of 64 columns.
__device__ __forceinline__ void pack_sixteen(uint32_t (&a)[4], const float (&d)[32], uint32_t k) {
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) a[i] = pack_bf16(d[8 * k + 2 * i], d[8 * k + 2 * i + 1]);
}

// 16 rows x 64 of accumulators, times factors for rows g and g + 8, as bf16 to memory; `staging` belongs to the warp.
__device__ __forceinline__ void store_sums(const float (&d)[32], float low, float high, Tile<16, 64>& staging, uint32_t there, bf16* to,
                                           size_t row) {
  const uint32_t g = lane() / 4, t = lane() % 4;
#pragma unroll
  for (uint32_t n = 0; n < 8; n++) {
    *reinterpret_cast<uint32_t*>(staging.row(g) + 8 * n + 2 * t) = pack_bf16(d[4 * n] * low, d[4 * n + 1] * low);
    *reinterpret_cast<uint32_t*>(staging.row(g + 8) + 8 * n + 2 * t) = pack_bf16(d[4 * n + 2] * high, d[4 * n + 3] * high);
  }
  __syncwarp();
  store_rows(true, staging, 0, there, 64, to, row);
  __syncwarp();
}

}  // namespace
