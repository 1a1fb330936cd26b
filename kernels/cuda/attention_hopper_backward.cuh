// Attention in bf16 on sm_90a, backward, heads of 64: five products, no atomics, nothing computed twice.
//
//   dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)
//
// A task is a head of a sequence. Keys are the outer loop, 256 at a time: they lie in shared memory, and each of two
// warpgroups has two tiles of 64 whose dk and dv stay in registers (128 of its 232). Queries are the inner loop, tiles of 64 in
// a ring of four, taken in pairs. For a tile of each, scores and dp are made with keys down and queries across, so that p
// and ds are A of dv and dk as they lie in registers; ds goes to shared memory too, a tile for each tile of keys. When
// those of a tile of queries are complete, one warpgroup makes its dq over all 256 keys: the first of a pair the first, the
// second the second. Who writes ds and who reads it meet at mbarriers only, so the two drift apart and one computes
// exponentials while the other multiplies.
// With more than 256 keys dq waits as f32 in memory for the second turn of the outer loop: up to 512 rows of it are the
// block's own, which stay in L2 from task to task.
// The copying warpgroup: one warp brings keys and values, one queries, dy and y; two warps make lse to the base of 2 and
// delta = rowsum(dy y) of each tile from shared memory, and clear what lies behind the last query. Keys behind the last are
// cleared by who owns the tile, and masked: a product of ds with them must not meet a NaN.
//
// Arithmetic for a tile of 64 x 64 (H100: tensor cores 4,096 operations a cycle, 16 exponentials, 128 lanes):
// - products 5 x 2 x 64^3: 640 cycles. Exponentials: 256. Instructions for an element: two multiply-adds, ex2, product, two
//   halves of conversions: 192 cycles of issue. So the tensor cores are the limit.
// - shared memory: scores and dp 4 KB for each wgmma of 32 cycles, dv and dk 2 KB, dq 4 KB: 102 bytes of 128 a cycle; stores of
//   ds 8 KB, tiles that arrive 24 KB for 256 keys: 22 bytes a cycle. About as tight as the tensor cores themselves.
// - L2: a head of 512 brings 2 x 192 KB of queries, dy and y, 128 KB of keys and values, and dq waits once, 256 KB: 18 bytes a
//   cycle of its 40,960.
#pragma once
#include "attention_hopper_backward_copy.cuh"

namespace {

// ---------------------------------------------------------------- the multiplying warpgroups

// What a warp needs now and then lies in shared memory: the registers of a warpgroup are its sums.
enum Held : uint32_t { kTask, kStart, kLength, kHead, kKeys, kPair, kKeyLoads, kTurns, kTurnsOfSecond, kCausal };

template <bool kDrops>
struct HopperKeys {
  HopperBackwardShared& s;
  const Attention& call;
  float dk[2][32], dv[2][32];

  __device__ __forceinline__ static uint32_t group() { return __shfl_sync(kWholeWarp, thread_anew() / kWarpgroup, 0); }
  __device__ __forceinline__ uint32_t held(Held what) const { return *const_cast<volatile uint32_t*>(&s.held[thread_anew() / kWarp][what]); }
  __device__ __forceinline__ void hold(Held what, uint32_t value) {
    __syncwarp();
    if (lane() == 0) s.held[thread_anew() / kWarp][what] = value;
    __syncwarp();
  }
  // Where the n-th tile of these keys lies.
  __device__ __forceinline__ uint32_t slot_of(uint32_t n) const { return Place<HopperBackward::kTilesOfKeys>(held(kKeyLoads) + n).stage; }
  __device__ __forceinline__ uint32_t stage_of(uint32_t u) const { return place_of(u).stage; }
  __device__ __forceinline__ Place<HopperBackward::kStages> place_of(uint32_t u) const {
    return Place<HopperBackward::kStages>(held(kTurns) + held(kTurnsOfSecond) + u);
  }
  // The first query of a tile of the pair.
  __device__ __forceinline__ uint32_t query_of(uint32_t u) const { return held(kPair) + u * kTileRows; }
  // The first key of the warpgroup's tile c.
  __device__ __forceinline__ uint32_t first_key(uint32_t c) const { return held(kKeys) + (group() + 2 * c) * kTileRows; }
  __device__ __forceinline__ float scale() const { return kDrops ? *const_cast<volatile float*>(&s.site.scale) : 1.f; }
  // Where a row of the head lies in a tensor of `width` columns.
  __device__ __forceinline__ size_t place(uint32_t row, uint32_t width) const { return size_t(held(kStart) + row) * width + held(kHead) * 64; }
  // The first of 16 rows of a tile that are the warp's.
  __device__ __forceinline__ uint32_t warp_row() const { return thread_anew() / kWarp % 4 * 16; }

  __device__ __forceinline__ void clear_sums() {
#pragma unroll
    for (uint32_t c = 0; c < 2; c++)
#pragma unroll
      for (uint32_t e = 0; e < 32; e++) dk[c][e] = dv[c][e] = 0;
  }

  // Bits of 16 keys from `key` on against the 64 queries from q0 on.
  __device__ __forceinline__ uint32_t draw(uint32_t key, uint32_t q0) {
    const volatile DropoutSite& held_site = s.site;
    const DropoutSite site{held_site.seed, held_site.draw, held_site.site, held_site.threshold, 0};
    const uint32_t l = thread_anew() % kWarp;
    const KeyWords keys = key_words(site, key / 4 + l / 8 % 2 * 2 + l / 16);
    uint32_t plane = (held(kStart) + q0 + 2 * (l % 4) + l / 4 % 2) * call.heads + held(kHead);
    uint32_t bits = 0;
#pragma unroll 1
    for (uint32_t j = 0; j < 8; j += 2, plane += 16 * call.heads)
      bits |= (kept_bits(site, keys, query_words(site, plane), 0) | kept_bits(site, keys, query_words(site, plane + 8 * call.heads), 1)) << j;
    return bits;
  }

  // Tile c of the warpgroup's keys against the queries of a tile of the pair; ds is left for finish_queries.
  template <uint32_t c>
  __device__ __forceinline__ void take(uint32_t u) {
    float scores[32], dp[32];
    {
      const uint32_t slot = slot_of(group() + 2 * c), stage = stage_of(u);
      const TileDescriptor k(s.k[slot]), v(s.v[slot]), q(s.q[stage]), dy(s.dy[stage]);
      wgmma_fence(scores, dp);
#pragma unroll
      for (uint32_t i = 0; i < 4; i++)
        wgmma<64, Major::k, Major::k>(scores, k.further(i * kFurtherInRow), q.further(i * kFurtherInRow), i > 0);
#pragma unroll
      for (uint32_t i = 0; i < 4; i++)
        wgmma<64, Major::k, Major::k>(dp, v.further(i * kFurtherInRow), dy.further(i * kFurtherInRow), i > 0);
      wgmma_commit();
    }
    const uint32_t bits = kDrops ? trade_columns(draw(first_key(c) + warp_row(), query_of(u)), thread_anew() % kWarp) : 0;
    wgmma_wait<0>(scores, dp);
    const uint32_t l = thread_anew() % kWarp, t = l % 4, length = held(kLength), key0 = first_key(c), q0 = query_of(u), causal = held(kCausal);
    if (key0 + kTileRows > length || (causal && key0 + kTileRows > q0 + 1)) {
#pragma unroll
      for (uint32_t e = 0; e < 32; e++) {
        const uint32_t k = key0 + warp_row() + l / 4 + e / 2 % 2 * 8, query = q0 + e / 4 * 8 + 2 * t + e % 2;
        if (k >= length || (causal && k > query)) scores[e] = -INFINITY, dp[e] = 0;
      }
    }
    const float factor = call.factor * kLog2e, scale = this->scale();
    const float4* rows = s.row[stage_of(u)];
#pragma unroll
    for (uint32_t j = 0; j < 8; j++) {
      if (j % 2 == 0) loads_stay_below();
      const float4 row = rows[4 * j + t];
#pragma unroll
      for (uint32_t e = 0; e < 4; e++) {
        const uint32_t at = 4 * j + e;
        const float prob = exp2_fast(fmaf(scores[at], factor, -(e % 2 ? row.y : row.x)));
        const float d = kDrops ? kept_float(dp[at] * scale, bits, j, e) : dp[at];
        scores[at] = prob;
        dp[at] = prob * (d - (e % 2 ? row.w : row.z));
      }
    }
    uint32_t p[4][4], gradients[4][4];
    HopperTile64& ds = s.ds[u][group() + 2 * c];
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) {
      pack_sixteen(p[k], scores, k);
      pack_sixteen(gradients[k], dp, k);
      if (kDrops)
#pragma unroll
        for (uint32_t e = 0; e < 4; e++) p[k][e] &= pair_mask(bits, 2 * k + e / 2, e % 2 ? 0xbbaau : 0x9988u);
      stmatrix_x4(chunk_of(ds, warp_row() + l % 16, 2 * k + l / 16), gradients[k]);
    }
    const uint32_t stage = stage_of(u);
    const TileDescriptor q(s.q[stage]), dy(s.dy[stage]);
    wgmma_fence(dv[c], dk[c]);
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) wgmma<64, Major::mn>(dv[c], p[i], dy.further(i * kFurtherRows), true);
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) wgmma<64, Major::mn>(dk[c], gradients[i], q.further(i * kFurtherRows), true);
    wgmma_commit();
    fence_async();  // ds is read by wgmma
    wgmma_wait<0>(dv[c], dk[c]);
  }

  // Waits for the keys and values of this turn.
  __device__ __forceinline__ void begin_keys() {
    const uint32_t loads = held(kKeyLoads), tiles = tiles_of_turn();
    for (uint32_t i = 0; i < tiles; i++) {
      const Place<HopperBackward::kTilesOfKeys> at(loads + i);
      mbarrier_wait(s.keys_full[at.stage], at.parity);
    }
    const uint32_t last = tiles - 1, there = held(kLength) - (held(kKeys) + last * kTileRows);
    if (there < kTileRows && last % 2 == group()) {
      HopperTile64& k = s.k[Place<HopperBackward::kTilesOfKeys>(loads + last).stage];
      for (uint32_t i = there * 8 + threadIdx.x % kWarpgroup; i < kTileRows * 8; i += kWarpgroup)
        *reinterpret_cast<uint4*>(k.at + i * 8) = make_uint4(0, 0, 0, 0);
      fence_async();
      if (group() == 0)
        barrier_sync(1, kWarpgroup);
      else
        barrier_sync(2, kWarpgroup);
    }
    clear_sums();
  }

  // The warpgroup's tiles of keys against the first (u = 0) or the second tile of a pair.
  __device__ __forceinline__ void take_both(uint32_t u) {
    {
      const Place<HopperBackward::kStages> at = place_of(u);
      mbarrier_wait(s.full[at.stage], at.parity);
      mbarrier_wait(s.ds_empty[u], (held(u == 0 ? kTurns : kTurnsOfSecond) & 1) ^ 1);
    }
    if (group() < tiles_of_turn()) take<0>(u);
    if (group() + 2 < tiles_of_turn()) take<1>(u);
    __syncwarp();
    if (lane() == 0) mbarrier_arrive(s.empty[stage_of(u)]), mbarrier_arrive(s.ds_full[u]);
  }

  __device__ __forceinline__ void end_keys(bf16* dqkv) {
    const uint32_t loads = held(kKeyLoads), tiles = tiles_of_turn(), length = held(kLength);
    __syncwarp();
    if (lane() == 0)
      for (uint32_t i = 0; i < tiles; i++) mbarrier_arrive(s.keys_empty[Place<HopperBackward::kTilesOfKeys>(loads + i).stage]);
    hold(kKeyLoads, loads + tiles);
#pragma unroll
    for (uint32_t c = 0; c < 2; c++) {
      const uint32_t key = first_key(c) + warp_row();
      if (key < length) {
        bf16* to = dqkv + place(key, 3 * call.hidden);
        store(dk[c], call.factor, length - key, to + call.hidden);
        store(dv[c], scale(), length - key, to + 2 * call.hidden);
      }
    }
  }

  // The first of two neighbouring elements of dq of row g (h = 0) or g + 8 of 16 rows.
  static __device__ __forceinline__ float* waiting_at(float* rows, uint32_t h) {
    const uint32_t l = thread_anew() % kWarp;
    return rows + (l / 4 + 8 * h) * 64 + l % 4 * 2;
  }

  // dq = ds of `tiles` tiles times their keys. A way of its own for each number, from the first product to the wait: across a
  // branch the compiler lets products run one by one.
  template <uint32_t kTiles>
  __device__ __forceinline__ void multiply_ds(float (&dq)[32], uint32_t u, uint32_t loads, uint32_t tiles) {
    if constexpr (kTiles > 1)
      if (tiles < kTiles) return multiply_ds<kTiles - 1>(dq, u, loads, tiles);
    wgmma_fence(dq);
#pragma unroll
    for (uint32_t i = 0; i < kTiles; i++) {
      const TileDescriptor a(s.ds[u][i]), b(s.k[Place<HopperBackward::kTilesOfKeys>(loads + i).stage]);
#pragma unroll
      for (uint32_t k = 0; k < 4; k++)
        wgmma<64, Major::mn, Major::mn>(dq, a.further(k * kFurtherRows), b.further(k * kFurtherRows), i > 0 || k > 0);
    }
    wgmma_commit();
    wgmma_wait<0>(dq);
  }

  // dq of a tile of the pair: all its ds times the keys.
  __device__ __forceinline__ void finish_queries(uint32_t u, bf16* dqkv, const WaitingDq& all) {
    const uint32_t length = held(kLength), query = query_of(u) + warp_row(), there = query < length ? length - query : 0;
    float* waiting = length <= HopperBackward::kRowsOfBlock ? all.mine + size_t(block_anew()) * HopperBackward::kRowsOfBlock * 64
                                                             : all.all + (size_t(held(kHead)) * all.rows + held(kStart)) * 64;
    waiting += size_t(query) * 64;
    float dq[32], before[32];
#pragma unroll
    for (uint32_t h = 0; h < 2; h++)
#pragma unroll
      for (uint32_t n = 0; n < 8; n++) {
        float2 two = make_float2(0.f, 0.f);
        if (held(kKeys) > 0 && thread_anew() % kWarp / 4 + 8 * h < there) two = *reinterpret_cast<const float2*>(waiting_at(waiting, h) + 8 * n);
        before[4 * n + 2 * h] = two.x, before[4 * n + 2 * h + 1] = two.y;
      }
    mbarrier_wait(s.ds_full[u], held(u == 0 ? kTurns : kTurnsOfSecond) & 1);
    multiply_ds<HopperBackward::kTilesOfKeys>(dq, u, held(kKeyLoads), tiles_of_turn());
#pragma unroll
    for (uint32_t e = 0; e < 32; e++) dq[e] += before[e];
    arrive_warp(s.ds_empty[u]);
    // causal: the tile's own keys are the last
    if (held(kKeys) + HopperBackward::kKeys >= (held(kCausal) ? query_of(u) + kTileRows : length)) {
      store(dq, call.factor, there, dqkv + place(query, 3 * call.hidden));
    } else {
#pragma unroll
      for (uint32_t h = 0; h < 2; h++)
        if (thread_anew() % kWarp / 4 + 8 * h < there)
#pragma unroll
          for (uint32_t n = 0; n < 8; n++)
            *reinterpret_cast<float2*>(waiting_at(waiting, h) + 8 * n) = make_float2(dq[4 * n + 2 * h], dq[4 * n + 2 * h + 1]);
    }
  }
  __device__ __forceinline__ uint32_t tiles_of_turn() const {
    return min(HopperBackward::kTilesOfKeys, (held(kLength) - held(kKeys) + kTileRows - 1) / kTileRows);
  }

  // 16 rows of sums times a factor, `there` of them, to rows of dqkv: through the warp's own 16 rows of 128 bytes.
  __device__ __forceinline__ void store(const float (&d)[32], float factor, uint32_t there, bf16* to) {
    bf16* mine = s.staging[thread_anew() / kWarp];
    const uint32_t l = thread_anew() % kWarp;
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) {
      uint32_t a[4];
#pragma unroll
      for (uint32_t i = 0; i < 4; i++) a[i] = pack_bf16(d[8 * k + 2 * i] * factor, d[8 * k + 2 * i + 1] * factor);
      stmatrix_x4(mine + l % 16 * 64 + ((2 * k + l / 16) ^ l % 8) * 8, a);
    }
    __syncwarp();
#pragma unroll
    for (uint32_t r = l / 8; r < 16; r += 4)
      if (r < there)
        *reinterpret_cast<uint4*>(to + r * (3 * size_t(call.hidden)) + l % 8 * 8) = *reinterpret_cast<const uint4*>(mine + r * 64 + (l % 8 ^ r % 8) * 8);
    __syncwarp();
  }
};

template <bool kDrops>
__device__ __forceinline__ void multiply(HopperBackwardShared& s, const Attention& call, bf16* dqkv, const WaitingDq& waiting) {
  HopperKeys<kDrops> here{s, call, {}, {}};
  here.hold(kCausal, call.causal()), here.hold(kKeyLoads, 0), here.hold(kTurns, 0), here.hold(kTurnsOfSecond, 0);
  for (here.hold(kTask, block_anew()); here.held(kTask) < call.sequences() * call.heads; here.hold(kTask, here.held(kTask) + gridDim.x)) {
    {
      const Head head = head_of(call, here.held(kTask) / call.heads, here.held(kTask) % call.heads);
      here.hold(kStart, head.start), here.hold(kLength, head.length), here.hold(kHead, head.a);
    }
    for (here.hold(kKeys, 0); here.held(kKeys) < here.held(kLength); here.hold(kKeys, here.held(kKeys) + HopperBackward::kKeys)) {
      here.begin_keys();
      here.hold(kPair, here.held(kCausal) ? here.held(kKeys) : 0);
      for (; here.query_of(0) < here.held(kLength); here.hold(kPair, here.query_of(2))) {
#pragma unroll 1
        for (uint32_t u = 0; u < 2 && here.query_of(u) < here.held(kLength); u++) here.take_both(u);
        if (here.query_of(here.group()) < here.held(kLength)) here.finish_queries(here.group(), dqkv, waiting);
        here.hold(kTurns, here.held(kTurns) + 1);
        if (here.query_of(1) < here.held(kLength)) here.hold(kTurnsOfSecond, here.held(kTurnsOfSecond) + 1);
      }
      here.end_keys(dqkv);
    }
  }
}

template <bool kDrops>
__global__ void __launch_bounds__(HopperBackward::kThreads, 1)
attention_hopper_backward(const __grid_constant__ TensorMap qkv, const __grid_constant__ TensorMap dy, const __grid_constant__ TensorMap y,
                          const float* __restrict__ lse, bf16* __restrict__ dqkv, const WaitingDq waiting, const Attention call) {
#if defined(BIOALBERT_HOPPER)
  auto& s = shared_as<HopperBackwardShared>();
  if (threadIdx.x == 0) {
    for (uint32_t i = 0; i < HopperBackward::kTilesOfKeys; i++) {
      mbarrier_init(s.keys_full[i], 1);
      mbarrier_init(s.keys_empty[i], HopperBackward::kConsumers / kWarp);
    }
    for (uint32_t i = 0; i < HopperBackward::kStages; i++) {
      mbarrier_init(s.here[i], 1);
      mbarrier_init(s.full[i], 2);
      mbarrier_init(s.empty[i], HopperBackward::kConsumers / kWarp);
    }
    for (uint32_t i = 0; i < 2; i++) {
      mbarrier_init(s.ds_full[i], HopperBackward::kConsumers / kWarp);
      mbarrier_init(s.ds_empty[i], kWarpgroup / kWarp);
    }
    mbarrier_fence_init();
    if (kDrops) {
      const DropoutSite site = call.dropout.site();
      s.site.seed = site.seed, s.site.draw = site.draw, s.site.site = site.site, s.site.threshold = site.threshold, s.site.scale = site.scale;
    }
  }
  clear_rows<HopperBackward::kThreads>(call, dqkv, 3 * call.hidden, blockIdx.x, gridDim.x);
  __syncthreads();
  if (threadIdx.x >= HopperBackward::kConsumers) {
    registers_lower<40>();
    const uint32_t role = warp() % 4;
    if (role == 0) {
      if (elect_one()) bring_keys_and_values(s, call, qkv);
    } else if (role == 1) {
      if (elect_one()) bring_queries(s, call, qkv, dy, y);
    } else {
      prepare_rows(s, call, lse);
    }
  } else {
    registers_raise<232>();
    multiply<kDrops>(s, call, dqkv, waiting);
  }
#endif
}

// ---------------------------------------------------------------- host

inline void hopper_backward(Launch& launch, const Attention& call, bool drops, uint32_t rows, uint32_t sequences, const bf16* dy,
                            const bf16* qkv, const bf16* y, const float* lse, bf16* dqkv) {
  const auto map = [&](const bf16* at, uint32_t width) {
    return launch.tensor_map(at, {width, rows}, {width}, {64, kTileRows}, Swizzle::b128);
  };
  const TensorMap of_qkv = map(qkv, 3 * call.hidden), of_dy = map(dy, call.hidden), of_y = map(y, call.hidden);
  const uint32_t tasks = sequences * call.heads, most = launch.chip().multiprocessors, blocks = tasks < most ? tasks : most;
  WaitingDq waiting{nullptr, nullptr, rows};
  if (rows > HopperBackward::kKeys) waiting.mine = launch.scratch<float>(size_t(blocks) * HopperBackward::kRowsOfBlock * 64);
  if (rows > HopperBackward::kRowsOfBlock) waiting.all = launch.scratch<float>(size_t(rows) * call.hidden);
  launch(drops ? attention_hopper_backward<true> : attention_hopper_backward<false>, blocks, HopperBackward::kThreads,
         sizeof(HopperBackwardShared), of_qkv, of_dy, of_y, lse, dqkv, waiting, call);
}

}  // namespace
