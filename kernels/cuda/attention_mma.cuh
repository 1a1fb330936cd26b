// Attention in bf16 on mma.sync, forward: FlashAttention-2 (Dao 2023) with its softmax to the base of 2.
//
// A block of four warps has up to 64 kM queries of a head and goes through the keys 64 at a time, two tiles of keys and values
// under way by cp.async. A warp has 16 queries of each 64: with kM = 2 every fragment of keys and values serves two products,
// without which shared memory, not the tensor cores, would be the limit (a fragment is 256 bytes for 4,096 operations: at the
// 2,600 operations a cycle of mma.sync on Hopper 162 bytes a cycle, and there are 128). A tile of at most 64 queries, as
// short sequences have, leaves the second half out.
// Scores and sums are f32; probabilities are rounded to bf16 as operands, relative to a reference that follows the largest score
// when that has grown by 2^8 (kSlack), so that sums are rarely brought to a new one; what dropout drops is masked there.
// 1 / (1 - rate) and the sum of exponentials come in when y is written.
// Floor of a head of S rows at D = 64: 4 S^2 D operations and S^2 exponentials, of which a multiprocessor has 16 a cycle; on
// Hopper both take 16,384 cycles at S = 512. Blocks read keys and values once for 128 queries, 9/8 S / 128 x 256 bytes a row.
#pragma once
#include "attention_mask.cuh"
#include "attention_tile.cuh"

namespace {

template <uint32_t kD_, uint32_t kM_, bool kDrops_>
struct MmaForm {
  static constexpr uint32_t kD = kD_, kM = kM_, kWarps = 4, kThreads = kWarps * kWarp, kQueries = 16 * kWarps * kM;
  static constexpr uint32_t kKeys = kD > 128 ? 32 : 64;
  // fragments of queries stay in registers where there is room
  static constexpr bool kDrops = kDrops_, kHoldsQueries = kD <= 32 || (kD <= 64 && !kDrops);
};

template <class F>
struct MmaForwardShared {
  Tile<F::kQueries, F::kD> q;  // each warp's rows are its own
  Tile<F::kKeys, F::kD> k[2], v[2];
};

template <class F>
struct MmaForward {
  static constexpr uint32_t kM = F::kM, kSteps = F::kD / 16, kBlocks = F::kKeys / 8;
  MmaForwardShared<F>& s;
  const Attention& call;
  const DropoutSite& site;
  const Head& head;
  const float factor;  // of scores, to the base of 2
  uint32_t q[kM][F::kHoldsQueries ? kSteps : 1][4];
  float sums[kM][2 * kSteps][4];
  float peak[kM][2], total[kM][2];
  QueryWords words[kM];

  // The first of 16 queries, counted from that of the block.
  static __device__ __forceinline__ uint32_t row_of(uint32_t m) { return 64 * m + 16 * warp(); }
  __device__ __forceinline__ uint32_t seen_by(uint32_t query) const { return call.causal() ? min(query + 1, head.length) : head.length; }

  __device__ __forceinline__ void begin() {
#pragma unroll
    for (uint32_t m = 0; m < kM; m++) {
      clear(sums[m]);
      peak[m][0] = peak[m][1] = -INFINITY, total[m][0] = total[m][1] = 0;
      if (F::kDrops) {
        const uint32_t query = head.first + row_of(m) + lane() / 4 + lane() % 2 * 8;
        words[m] = query_words(site, (head.start + query) * call.heads + head.a);
      }
      if (F::kHoldsQueries)
#pragma unroll
        for (uint32_t k = 0; k < kSteps; k++) load_fragment<true, false>(q[m][F::kHoldsQueries ? k : 0], s.q, row_of(m), 16 * k);
    }
  }

  // The first kHere of the kM tiles of queries against keys k0 on, in buffer `at`.
  template <uint32_t kHere>
  __device__ __forceinline__ void step(uint32_t k0, uint32_t at) {
    float scores[kHere][kBlocks][4];
#pragma unroll
    for (uint32_t m = 0; m < kHere; m++) clear(scores[m]);
#pragma unroll
    for (uint32_t k = 0; k < kSteps; k++) {
      if (!F::kHoldsQueries)
#pragma unroll
        for (uint32_t m = 0; m < kHere; m++) load_fragment<true, false>(q[m][0], s.q, row_of(m), 16 * k);
#pragma unroll
      for (uint32_t j = 0; j < kBlocks; j += 2) {
        uint32_t keys[4];
        load_fragment<false, false>(keys, s.k[at], 8 * j, 16 * k);
#pragma unroll
        for (uint32_t m = 0; m < kHere; m++) mma_two(scores[m][j], scores[m][j + 1], q[m][F::kHoldsQueries ? k : 0], keys);
      }
    }
    uint32_t bits[kHere];
    if (F::kDrops) draw<kHere>(k0, bits);
#pragma unroll
    for (uint32_t m = 0; m < kHere; m++) softmax(m, k0, scores[m]);
    RowBits rows[kHere];
    if (F::kDrops)
#pragma unroll
      for (uint32_t m = 0; m < kHere; m++) rows[m] = trade_rows(bits[m]);
#pragma unroll
    for (uint32_t k = 0; k < F::kKeys / 16; k++) {
      uint32_t p[kHere][4];
#pragma unroll
      for (uint32_t m = 0; m < kHere; m++) {
        pack_a(p[m], scores[m][2 * k], scores[m][2 * k + 1]);
        if (F::kDrops)
#pragma unroll
          for (uint32_t e = 0; e < 4; e++) p[m][e] &= pair_mask(e % 2 ? rows[m].high : rows[m].low, 2 * k + e / 2, rows[m].bytes);
      }
#pragma unroll
      for (uint32_t d = 0; d < kSteps; d++) {
        uint32_t values[4];
        load_fragment<true, true>(values, s.v[at], 16 * k, 16 * d);
#pragma unroll
        for (uint32_t m = 0; m < kHere; m++) mma_two(sums[m][2 * d], sums[m][2 * d + 1], p[m], values);
      }
    }
  }

  // Scores become probabilities relative to the reference, which may move; then what was summed before is brought to it.
  __device__ __forceinline__ void softmax(uint32_t m, uint32_t k0, float (&scores)[kBlocks][4]) {
    const uint32_t t = lane() % 4, query = head.first + row_of(m) + lane() / 4;
    if (k0 + F::kKeys > seen_by(head.first + row_of(m))) {
#pragma unroll
      for (uint32_t h = 0; h < 2; h++) {
        const uint32_t seen = seen_by(query + 8 * h);
#pragma unroll
        for (uint32_t j = 0; j < kBlocks; j++)
#pragma unroll
          for (uint32_t e = 0; e < 2; e++)
            if (k0 + 8 * j + 2 * t + e >= seen) scores[j][2 * h + e] = -INFINITY;
      }
    }
    bool moved = false;
    float shrink[2];
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      float top = scores[0][2 * h];
#pragma unroll
      for (uint32_t j = 0; j < kBlocks; j++) top = fmaxf(top, fmaxf(scores[j][2 * h], scores[j][2 * h + 1]));
      top = quad_max(top);
      shrink[h] = 1;
      if ((top - peak[m][h]) * factor > kSlack) {
        shrink[h] = exp2_fast((peak[m][h] - top) * factor);
        peak[m][h] = top;
        moved = true;
      }
      const float minus = -peak[m][h] * factor;
      float sum = 0;
#pragma unroll
      for (uint32_t j = 0; j < kBlocks; j++)
#pragma unroll
        for (uint32_t e = 0; e < 2; e++) {
          const float p = exp2_fast(fmaf(scores[j][2 * h + e], factor, minus));
          scores[j][2 * h + e] = p;
          sum += p;
        }
      total[m][h] = total[m][h] * shrink[h] + sum;
    }
    if (!__any_sync(kWholeWarp, moved)) return;
#pragma unroll
    for (uint32_t n = 0; n < 2 * kSteps; n++)
#pragma unroll
      for (uint32_t e = 0; e < 4; e++) sums[m][n][e] *= shrink[e / 2];
  }

  template <uint32_t kHere>
  __device__ __forceinline__ void draw(uint32_t k0, uint32_t (&bits)[kHere]) {
#pragma unroll
    for (uint32_t m = 0; m < kHere; m++) bits[m] = 0;
#pragma unroll
    for (uint32_t j = 0; j < kBlocks; j++) {
      const KeyWords keys = key_words(site, k0 / 4 + 2 * j + lane() % 4 / 2);
#pragma unroll
      for (uint32_t m = 0; m < kHere; m++) bits[m] |= kept_bits(site, keys, words[m], j);
    }
  }

  __device__ __forceinline__ void end(bf16* y, float* lse) {
    const float kept = F::kDrops ? site.scale : 1.f;
    __syncwarp();  // the queries have been read
#pragma unroll
    for (uint32_t m = 0; m < kM; m++) {
      float sum[2];
#pragma unroll
      for (uint32_t h = 0; h < 2; h++) sum[h] = quad_sum(total[m][h]);
      put_rows(s.q, row_of(m), sums[m], kept / sum[0], kept / sum[1]);
      const uint32_t query = head.first + row_of(m) + lane() / 4;
#pragma unroll
      for (uint32_t h = 0; h < 2; h++)
        if (lane() % 4 == 0 && query + 8 * h < head.length)
          lse[(head.start + query + 8 * h) * size_t(call.heads) + head.a] = (peak[m][h] * factor + log2f(sum[h])) * kLn2;
    }
    __syncwarp();
#pragma unroll
    for (uint32_t m = 0; m < kM; m++) {
      const uint32_t query = head.first + row_of(m);
      if (query < head.length)
        store_rows(call.vector, s.q, row_of(m), head.length - query, call.D, y + (head.start + query) * size_t(call.hidden) + head.a * call.D,
                   call.hidden);
    }
  }
};

template <class F>
__global__ void __launch_bounds__(F::kThreads, F::kD <= 64 ? 2 : 1)
attention_mma_forward(const bf16* __restrict__ qkv, bf16* __restrict__ y, float* __restrict__ lse, const Attention call) {
  auto& s = shared_as<MmaForwardShared<F>>();
  clear_rows<F::kThreads>(call, y, call.hidden, blockIdx.x, gridDim.x);
  clear_rows<F::kThreads>(call, lse, call.heads, blockIdx.x, gridDim.x);
  const Head head = head_in_slot<F::kQueries>(call, blockIdx.x / call.heads, blockIdx.x % call.heads);
  if (head.length == 0) return;
  const uint32_t queries = min(F::kQueries, head.length - head.first);
  const uint32_t keys = call.causal() ? head.first + queries : head.length;
  const size_t row = 3 * size_t(call.hidden);
  const bf16* from = qkv + head.start * row + head.a * call.D;
  const DropoutSite site = F::kDrops ? call.dropout.site() : DropoutSite{};
  const auto load = [&](uint32_t k0, uint32_t at) {
    load_tile<F::kThreads>(call, s.k[at], from + call.hidden + k0 * row, row, keys - k0);
    load_tile<F::kThreads>(call, s.v[at], from + 2 * call.hidden + k0 * row, row, keys - k0);
    cp_async_commit();
  };
  load_tile<F::kThreads>(call, s.q, from + head.first * row, row, queries);
  load(0, 0);
  MmaForward<F> here{s, call, site, head, call.factor * kLog2e, {}, {}, {}, {}, {}};
  // warps behind the last query only load
  const bool works = here.row_of(0) < queries, works_twice = F::kM > 1 && here.row_of(1) < queries;
  for (uint32_t k0 = 0; k0 < keys; k0 += F::kKeys) {
    const uint32_t at = k0 / F::kKeys % 2;
    cp_async_wait<0>();
    __syncthreads();
    if (k0 + F::kKeys < keys) load(k0 + F::kKeys, 1 - at);
    if (k0 == 0) here.begin();
    if (works_twice)
      here.template step<F::kM>(k0, at);
    else if (works)
      here.template step<1>(k0, at);
  }
  here.end(y, lse);
}

// ---------------------------------------------------------------- host

template <uint32_t kD, uint32_t kM>
void record_mma_forward(Launch& launch, const Attention& call, bool drops, uint32_t rows, uint32_t sequences, const bf16* qkv, bf16* y,
                        float* lse) {
  using Plain = MmaForm<kD, kM, false>;
  using Drops = MmaForm<kD, kM, true>;
  launch(drops ? attention_mma_forward<Drops> : attention_mma_forward<Plain>, slots_for(rows, sequences, Plain::kQueries) * call.heads,
         Plain::kThreads, sizeof(MmaForwardShared<Plain>), qkv, y, lse, call);
}

inline void mma_forward(Launch& launch, const Attention& call, bool drops, uint32_t rows, uint32_t sequences, const bf16* qkv, bf16* y,
                        float* lse) {
  if (call.D <= 32)
    record_mma_forward<32, 2>(launch, call, drops, rows, sequences, qkv, y, lse);
  else if (call.D <= 64)
    record_mma_forward<64, 2>(launch, call, drops, rows, sequences, qkv, y, lse);
  else if (call.D <= 96)
    record_mma_forward<96, 1>(launch, call, drops, rows, sequences, qkv, y, lse);
  else if (call.D <= 128)
    record_mma_forward<128, 1>(launch, call, drops, rows, sequences, qkv, y, lse);
  else
    record_mma_forward<256, 1>(launch, call, drops, rows, sequences, qkv, y, lse);
}

}  // namespace
