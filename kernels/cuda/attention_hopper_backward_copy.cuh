// The backward pass of attention_hopper_backward.cuh: what lies in shared memory, how tasks and turns go, and the copying
// warpgroup.
#pragma once
#include "attention_hopper.cuh"

namespace {

struct HopperBackward {
  static constexpr uint32_t kGroups = 2, kThreads = (kGroups + 1) * kWarpgroup, kConsumers = kGroups * kWarpgroup;
  static constexpr uint32_t kTilesOfKeys = 4, kKeys = kTilesOfKeys * kTileRows, kStages = 4, kStagesY = 2;
  static constexpr uint32_t kRowsOfBlock = 512;  // of dq that wait in the block's own memory
};

struct HopperBackwardShared {
  HopperTile64 k[HopperBackward::kTilesOfKeys], v[HopperBackward::kTilesOfKeys];
  HopperTile64 q[HopperBackward::kStages], dy[HopperBackward::kStages], y[HopperBackward::kStagesY];
  HopperTile64 ds[2][HopperBackward::kTilesOfKeys];  // of a pair of tiles of queries, [key][query]
  alignas(16) bf16 staging[HopperBackward::kConsumers / kWarp][16 * 64];
  float4 row[HopperBackward::kStages][kTileRows / 2];  // of two queries: lse to the base of 2, delta
  Mbarrier keys_full[HopperBackward::kTilesOfKeys], keys_empty[HopperBackward::kTilesOfKeys];
  Mbarrier here[HopperBackward::kStages], full[HopperBackward::kStages], empty[HopperBackward::kStages];
  Mbarrier ds_full[2], ds_empty[2];
  uint32_t held[HopperBackward::kConsumers / kWarp][16];
  DropoutSite site;
};

// Where dq waits: `mine` for heads of at most kRowsOfBlock rows, `all` [A, rows at capacity, 64] for others.
struct WaitingDq {
  float *mine, *all;
  uint32_t rows;
};

// Calls f(head) for each task of this block.
template <class F>
__device__ __forceinline__ void each_head(const Attention& call, F f) {
#pragma unroll 1
  for (uint32_t task = block_anew(); task < call.sequences() * call.heads; task += gridDim.x) {
    const Head head = head_of(call, task / call.heads, task % call.heads);
    if (head.length > 0) f(head);
  }
}
// Calls f(first key, tiles of keys, first tile of queries, end of these) for each turn of the outer loop.
template <class F>
__device__ __forceinline__ void each_turn(const Head& head, bool causal, F f) {
  const uint32_t tiles = (head.length + kTileRows - 1) / kTileRows;
#pragma unroll 1
  for (uint32_t first = 0; first < tiles; first += HopperBackward::kTilesOfKeys)
    f(first * kTileRows, min(HopperBackward::kTilesOfKeys, tiles - first), causal ? first : 0, tiles);
}

// ---------------------------------------------------------------- the copying warpgroup

__device__ __forceinline__ void bring_keys_and_values(HopperBackwardShared& s, const Attention& call, const TensorMap& map) {
  uint32_t loads = 0;
  each_head(call, [&](const Head& head) {
    const int32_t column = int32_t(call.hidden + head.a * 64);
    each_turn(head, false, [&](uint32_t k0, uint32_t tiles, uint32_t, uint32_t) {
#pragma unroll 1
      for (uint32_t i = 0; i < tiles; i++) {
        const Place<HopperBackward::kTilesOfKeys> at(loads++);
        const int32_t row = int32_t(head.start + k0 + i * kTileRows);
        mbarrier_wait(s.keys_empty[at.stage], at.parity ^ 1);
        mbarrier_arrive_expect(s.keys_full[at.stage], 2 * kTileBytes);
        tma_load(s.k[at.stage].at, map, s.keys_full[at.stage], column, row);
        tma_load(s.v[at.stage].at, map, s.keys_full[at.stage], column + int32_t(call.hidden), row);
      }
    });
  });
}

__device__ __forceinline__ void bring_queries(HopperBackwardShared& s, const Attention& call, const TensorMap& qkv, const TensorMap& dy,
                                              const TensorMap& y) {
  const bool causal = call.causal();
  uint32_t loads = 0;
  each_head(call, [&](const Head& head) {
    const int32_t column = int32_t(head.a * 64);
    each_turn(head, causal, [&](uint32_t, uint32_t, uint32_t first, uint32_t end) {
#pragma unroll 1
      for (uint32_t i = first; i < end; i++, loads++) {
        const Place<HopperBackward::kStages> at(loads);
        const int32_t row = int32_t(head.start + i * kTileRows);
        mbarrier_wait(s.empty[at.stage], at.parity ^ 1);
        // y of two tiles before has been read
        if (loads >= HopperBackward::kStagesY) {
          const Place<HopperBackward::kStages> before(loads - HopperBackward::kStagesY);
          mbarrier_wait(s.full[before.stage], before.parity);
        }
        mbarrier_arrive_expect(s.here[at.stage], 3 * kTileBytes);
        tma_load(s.q[at.stage].at, qkv, s.here[at.stage], column, row);
        tma_load(s.dy[at.stage].at, dy, s.here[at.stage], column, row);
        tma_load(s.y[loads % HopperBackward::kStagesY].at, y, s.here[at.stage], column, row);
      }
    });
  });
}

__device__ __forceinline__ float dot8(uint4 a, uint4 b, float sum) {
  const uint32_t left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
  for (uint32_t i = 0; i < 4; i++)
    sum = fmaf(high_bf16(left[i]), high_bf16(right[i]), fmaf(low_bf16(left[i]), low_bf16(right[i]), sum));
  return sum;
}

// Gives queries and dy on, with lse and delta: two warps, a lane for each row.
__device__ __forceinline__ void prepare_rows(HopperBackwardShared& s, const Attention& call, const float* lse) {
  const bool causal = call.causal();
  const uint32_t mine = threadIdx.x % (2 * kWarp);
  uint32_t loads = 0;
  each_head(call, [&](const Head& head) {
    each_turn(head, causal, [&](uint32_t, uint32_t, uint32_t first, uint32_t end) {
#pragma unroll 1
      for (uint32_t i = first; i < end; i++, loads++) {
        const Place<HopperBackward::kStages> at(loads);
        const uint32_t row = i * kTileRows + mine;
        const bool there = row < head.length;
        const float log_sum = there ? lse[(head.start + row) * size_t(call.heads) + head.a] * kLog2e : 0.f;
        HopperTile64 &q = s.q[at.stage], &dy = s.dy[at.stage], &y = s.y[loads % HopperBackward::kStagesY];
        mbarrier_wait(s.here[at.stage], at.parity);
        float delta = 0;
#pragma unroll 1
        for (uint32_t c = 0; c < 8; c++) {
          if (there) {
            delta = dot8(*reinterpret_cast<const uint4*>(chunk_of(dy, mine, c)), *reinterpret_cast<const uint4*>(chunk_of(y, mine, c)), delta);
          } else {
            *reinterpret_cast<uint4*>(chunk_of(q, mine, c)) = make_uint4(0, 0, 0, 0);
            *reinterpret_cast<uint4*>(chunk_of(dy, mine, c)) = make_uint4(0, 0, 0, 0);
          }
        }
        float4& two = s.row[at.stage][mine / 2];
        (mine % 2 ? two.y : two.x) = log_sum;
        (mine % 2 ? two.w : two.z) = delta;
        fence_async();
        arrive_warp(s.full[at.stage]);
      }
    });
  });
}

}  // namespace
