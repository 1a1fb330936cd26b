// Attention in bf16 on sm_90a, forward, heads of 64: keys and values of a head lie in shared memory while all its queries pass.
//
// A task is up to 256 queries of a head. Three warpgroups take its tiles of 64 queries in turn, counting on from task to task, so
// none waits for the end of one; queries stay in registers. The copying warpgroup: one warp looks tasks up and brings keys and
// values into rings of eight tiles, one brings queries, one clears what lies behind the last value. Up to 512 keys are
// brought once a task and given back by the last tile that uses them: so the next tasks' come while this one computes,
// eight short sequences ahead. More than 512 stream through the ring once for each three tiles of queries.
// A step is 64 keys: scores to registers, softmax to the base of 2, probabilities as A of the product with the values. That product
// runs while the next scores' exponentials are computed; what a warpgroup leaves of the tensor cores the two others use.
// The reference of the exponentials follows the largest score only when it has grown by 2^8 (kSlack).
//
// Arithmetic for a step of 64 x 64 (H100: tensor cores 4,096 operations a cycle, 16 exponentials, 4 instructions):
// - products 2 x 64 x 64 x 64 x 2: 256 cycles. Exponentials: 256. Instructions for an element: a multiply-add, ex2, maximum,
//   sum and half a conversion: 144 cycles of issue. So two thirds of the tensor cores' peak is what can be hoped for.
// - shared memory: a wgmma of 64 x 64 x 16 reads 2 KB in its 32 cycles, 64 bytes of 128 a cycle.
// - L2: a head of 512 is two tasks of 128 + 32 KB, 64 steps: 5 KB in the 256 cycles of a step at best, 20 bytes a cycle.
// Registers: 160 for the three warpgroups, 32 for the fourth.
#pragma once
#include "attention_hopper.cuh"

namespace {

constexpr uint32_t kQueriesOfTask = 256;

struct HopperForward {
  static constexpr uint32_t kGroups = 3, kThreads = (kGroups + 1) * kWarpgroup, kStages = 8, kTasks = 8;
  static constexpr uint32_t kReaders = 4 * kGroups + 2;  // warps that read tasks
};

struct HopperTask {
  uint32_t start, length, a, first;  // length 0 ends the list
};

struct HopperForwardShared {
  HopperTile64 k[HopperForward::kStages], v[HopperForward::kStages], q[HopperForward::kGroups];
  Tile<16, 64> staging[4 * HopperForward::kGroups];
  uint4 tasks[HopperForward::kTasks];
  Mbarrier keys_full[HopperForward::kStages], values_here[HopperForward::kStages], values_full[HopperForward::kStages],
      empty[HopperForward::kStages], queries_full[HopperForward::kGroups], queries_empty[HopperForward::kGroups],
      tasks_full[HopperForward::kTasks], tasks_empty[HopperForward::kTasks];
};

// A task as all warps see it.
struct HopperWork {
  Head head;
  uint32_t queries, tiles_q, keys, tiles_k;
  bool stays;        // keys and values fit the ring
  uint32_t streams;  // times that they are brought

  __device__ __forceinline__ HopperWork(const uint4& task, bool causal) : head{task.z, task.x, task.y, task.w} {
    queries = min(kQueriesOfTask, head.length - head.first);
    tiles_q = (queries + kTileRows - 1) / kTileRows;
    keys = causal ? head.first + queries : head.length;
    tiles_k = (keys + kTileRows - 1) / kTileRows;
    stays = tiles_k <= HopperForward::kStages;
    streams = stays ? 1 : (tiles_q + HopperForward::kGroups - 1) / HopperForward::kGroups;
  }
};

// Calls f(task) for each; all lanes of a warp.
template <class F>
__device__ __forceinline__ void each_task(HopperForwardShared& s, bool causal, F f) {
  for (uint32_t n = 0;; n++) {
    const Place<HopperForward::kTasks> place(n);
    mbarrier_wait(s.tasks_full[place.stage], place.parity);
    const uint4 task = s.tasks[place.stage];
    arrive_warp(s.tasks_empty[place.stage]);
    if (task.y == 0) return;
    f(HopperWork(task, causal));
  }
}

// ---------------------------------------------------------------- the copying warpgroup

// Looks tasks up and brings keys and values.
__device__ __forceinline__ void bring_keys(HopperForwardShared& s, const Attention& call, const TensorMap& map, uint32_t slots) {
  const bool causal = call.causal(), elected = elect_one();
  uint32_t tasks = 0, loads = 0;
  for (uint32_t unit = blockIdx.x;; unit += gridDim.x) {
    const bool is_end = unit >= slots * call.heads;
    const Head head = is_end ? Head{0, 0, 0, 0} : head_in_slot<kQueriesOfTask>(call, unit / call.heads, unit % call.heads);
    if (head.length == 0 && !is_end) continue;
    const Place<HopperForward::kTasks> place(tasks++);
    const uint4 task = make_uint4(head.start, head.length, head.a, head.first);
    if (elected) {
      mbarrier_wait(s.tasks_empty[place.stage], place.parity ^ 1);
      s.tasks[place.stage] = task;
      mbarrier_arrive(s.tasks_full[place.stage]);
    }
    if (is_end) return;
    const HopperWork work(task, causal);
    if (elected) {
      const int32_t column = int32_t(call.hidden + head.a * 64);
      for (uint32_t i = 0; i < work.streams * work.tiles_k; i++) {
        const Place<HopperForward::kStages> at(loads + i);
        const int32_t row = int32_t(head.start + i % work.tiles_k * kTileRows);
        mbarrier_wait(s.empty[at.stage], at.parity ^ 1);
        mbarrier_arrive_expect(s.keys_full[at.stage], kTileBytes);
        tma_load(s.k[at.stage].at, map, s.keys_full[at.stage], column, row);
        mbarrier_arrive_expect(s.values_here[at.stage], kTileBytes);
        tma_load(s.v[at.stage].at, map, s.values_here[at.stage], column + int32_t(call.hidden), row);
      }
    }
    loads += work.streams * work.tiles_k;
    __syncwarp();
  }
}

__device__ __forceinline__ void bring_queries(HopperForwardShared& s, const Attention& call, const TensorMap& map) {
  const bool elected = elect_one();
  uint32_t tiles = 0;
  each_task(s, call.causal(), [&](const HopperWork& work) {
    for (uint32_t i = 0; elected && i < work.tiles_q; i++) {
      const uint32_t group = (tiles + i) % HopperForward::kGroups, turn = (tiles + i) / HopperForward::kGroups;
      mbarrier_wait(s.queries_empty[group], (turn & 1) ^ 1);
      mbarrier_arrive_expect(s.queries_full[group], kTileBytes);
      tma_load(s.q[group].at, map, s.queries_full[group], int32_t(work.head.a * 64), int32_t(work.head.start + work.head.first + i * kTileRows));
    }
    tiles += work.tiles_q;
    __syncwarp();
  });
}

// Gives values on, cleared behind the last one.
__device__ __forceinline__ void clear_values(HopperForwardShared& s, const Attention& call) {
  uint32_t loads = 0;
  each_task(s, call.causal(), [&](const HopperWork& work) {
    for (uint32_t i = 0; i < work.streams * work.tiles_k; i++) {
      const Place<HopperForward::kStages> at(loads + i);
      const uint32_t there = work.head.length - i % work.tiles_k * kTileRows;
      mbarrier_wait(s.values_here[at.stage], at.parity);
      if (there < kTileRows) clear_tail(s.v[at.stage], there);
      arrive_warp(s.values_full[at.stage]);
    }
    loads += work.streams * work.tiles_k;
  });
}

// ---------------------------------------------------------------- the multiplying warpgroups

template <bool kDrops>
struct HopperQueries {
  HopperForwardShared& s;
  const Attention& call;
  const DropoutSite& site;
  const bool causal;
  const float factor;  // of scores, to the base of 2
  uint32_t tiles;      // of queries that this warpgroup has taken
  uint32_t q[4][4];
  float sums[32];
  float peak[2], total[2];
  QueryWords words;

  __device__ __forceinline__ uint32_t group() const { return warp() / 4; }

  // Tiles that this warpgroup has no queries for are given back.
  __device__ __forceinline__ void pass(uint32_t load, uint32_t end) {
    for (; load < end; load++) {
      const Place<HopperForward::kStages> at(load);
      mbarrier_wait(s.keys_full[at.stage], at.parity);
      mbarrier_wait(s.values_full[at.stage], at.parity);
      arrive_warp(s.empty[at.stage]);
    }
  }

  __device__ __forceinline__ void issue_scores(float (&scores)[32], uint32_t load) {
    const Place<HopperForward::kStages> at(load);
    mbarrier_wait(s.keys_full[at.stage], at.parity);
    const TileDescriptor keys(s.k[at.stage]);
    wgmma_fence(scores);
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) wgmma<64, Major::k>(scores, q[k], keys.further(k * kFurtherInRow), k > 0);
    wgmma_commit();
  }
  __device__ __forceinline__ void issue_values(const uint32_t (&p)[4][4], uint32_t load) {
    const Place<HopperForward::kStages> at(load);
    mbarrier_wait(s.values_full[at.stage], at.parity);
    const TileDescriptor values(s.v[at.stage]);
    wgmma_fence(sums);
#pragma unroll
    for (uint32_t k = 0; k < 4; k++) wgmma<64, Major::mn>(sums, p[k], values.further(k * kFurtherRows), true);
    wgmma_commit();
  }

  // A loop that stays one: behind it a new basic block begins, so products are not waited for in front of it.
  __device__ __forceinline__ uint32_t draw(uint32_t k0) {
    uint32_t bits = 0;
#pragma unroll 1
    for (uint32_t j = 0; j < 8; j += 4) {
      uint32_t four = 0;
#pragma unroll
      for (uint32_t i = 0; i < 4; i++) four |= kept_bits(site, key_words(site, k0 / 4 + 2 * (j + i) + lane() % 4 / 2), words, i);
      bits |= four << j;
    }
    return bits;
  }

  // Scores that no query of `query`, query + 8 may see become -infinity.
  __device__ __forceinline__ void hide(float (&scores)[32], const Head& head, uint32_t query, uint32_t k0) {
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      const uint32_t seen = causal ? min(query + 8 * h + 1, head.length) : head.length;
#pragma unroll
      for (uint32_t j = 0; j < 8; j++)
#pragma unroll
        for (uint32_t e = 0; e < 2; e++)
          if (k0 + 8 * j + 2 * (lane() % 4) + e >= seen) scores[4 * j + 2 * h + e] = -INFINITY;
    }
  }

  // Scores become probabilities relative to the reference, which may move: then all before is to be multiplied by `shrink`.
  __device__ __forceinline__ bool softmax(float (&scores)[32], float (&shrink)[2]) {
    bool moved = false;
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      float top = scores[2 * h];
#pragma unroll
      for (uint32_t j = 0; j < 8; j++) top = fmaxf(top, fmaxf(scores[4 * j + 2 * h], scores[4 * j + 2 * h + 1]));
      top = quad_max(top);
      shrink[h] = 1;
      if ((top - peak[h]) * factor > kSlack) {
        shrink[h] = exp2_fast((peak[h] - top) * factor);
        peak[h] = top;
        moved = true;
      }
      const float minus = -peak[h] * factor;
      float sum = 0;
#pragma unroll
      for (uint32_t j = 0; j < 8; j++)
#pragma unroll
        for (uint32_t e = 0; e < 2; e++) {
          const float p = exp2_fast(fmaf(scores[4 * j + 2 * h + e], factor, minus));
          scores[4 * j + 2 * h + e] = p;
          sum += p;
        }
      total[h] = total[h] * shrink[h] + sum;
    }
    return __any_sync(kWholeWarp, moved);
  }

  // Tile i of the queries of a task, whose keys and values are loads `load` on; `gives` them back.
  __device__ __forceinline__ void take(const HopperWork& work, uint32_t i, uint32_t load, bool gives, bf16* y, float* lse) {
    const Head& head = work.head;
    const uint32_t first = head.first + i * kTileRows, query = first + warp() % 4 * 16 + lane() / 4;
    const uint32_t keys = causal ? min(first + kTileRows, work.keys) : work.keys, steps = (keys + kTileRows - 1) / kTileRows;
    mbarrier_wait(s.queries_full[group()], tiles & 1);
    tiles++;
    load_rows_of_warp(q, s.q[group()]);
    arrive_warp(s.queries_empty[group()]);
    peak[0] = peak[1] = -INFINITY, total[0] = total[1] = 0;
#pragma unroll
    for (uint32_t e = 0; e < 32; e++) sums[e] = 0;
    if (kDrops) words = query_words(site, (head.start + query + lane() % 2 * 8) * call.heads + head.a);
    float scores[32];
    uint32_t p[4][4];
    issue_scores(scores, load);
    uint32_t bits = kDrops ? draw(0) : 0;
    wgmma_wait<0>(scores);
#pragma unroll 1
    for (uint32_t j = 0;; j++) {
      float shrink[2];
      // uniform: the last tile, or the one on the diagonal
      if ((j + 1) * kTileRows > (causal ? first + 1 : head.length)) hide(scores, head, query, j * kTileRows);
      const bool moved = softmax(scores, shrink);
      // The last product with values runs while this was computed. ptxas moves a wait to the start of its basic block: so it
      // stands in two of their own.
      if (moved) {
        wgmma_wait<0>(sums);
#pragma unroll
        for (uint32_t e = 0; e < 32; e++) sums[e] *= shrink[e / 2 % 2];
      } else {
        wgmma_wait<0>(sums, scores);
      }
      if (gives && j > 0) arrive_warp(s.empty[Place<HopperForward::kStages>(load + j - 1).stage]);
#pragma unroll
      for (uint32_t k = 0; k < 4; k++) pack_sixteen(p[k], scores, k);
      if (kDrops) {
        const RowBits rows = trade_rows(bits);
#pragma unroll
        for (uint32_t k = 0; k < 4; k++)
#pragma unroll
          for (uint32_t e = 0; e < 4; e++) p[k][e] &= pair_mask(e % 2 ? rows.high : rows.low, 2 * k + e / 2, rows.bytes);
      }
      // one way from each issue to its wait, or the compiler lets products run one by one
      if (j + 1 == steps) break;
      issue_scores(scores, load + j + 1);
      issue_values(p, load + j);
      if (kDrops) bits = draw((j + 1) * kTileRows);
      wgmma_wait<1>(scores);
    }
    issue_values(p, load + steps - 1);
    wgmma_wait<0>(sums);
    if (gives) {
      arrive_warp(s.empty[Place<HopperForward::kStages>(load + steps - 1).stage]);
      pass(load + steps, load + work.tiles_k);
    }
    const float kept = kDrops ? site.scale : 1.f;
    float sum[2];
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      sum[h] = quad_sum(total[h]);
      if (lane() % 4 == 0 && query + 8 * h < head.length)
        lse[(head.start + query + 8 * h) * size_t(call.heads) + head.a] = (peak[h] * factor + log2f(sum[h])) * kLn2;
    }
    const uint32_t row = first + warp() % 4 * 16;
    store_sums(sums, kept / sum[0], kept / sum[1], s.staging[warp()], row < head.length ? head.length - row : 0,
               y + (head.start + row) * size_t(call.hidden) + head.a * 64, call.hidden);
  }
};

template <bool kDrops>
__global__ void __launch_bounds__(HopperForward::kThreads, 1)
attention_hopper_forward(const __grid_constant__ TensorMap map, bf16* __restrict__ y, float* __restrict__ lse, const Attention call) {
#if defined(BIOALBERT_HOPPER)
  auto& s = shared_as<HopperForwardShared>();
  if (threadIdx.x == 0) {
    for (uint32_t i = 0; i < HopperForward::kStages; i++) {
      mbarrier_init(s.keys_full[i], 1);
      mbarrier_init(s.values_here[i], 1);
      mbarrier_init(s.values_full[i], 1);
      mbarrier_init(s.empty[i], 4 * HopperForward::kGroups);
    }
    for (uint32_t i = 0; i < HopperForward::kGroups; i++) {
      mbarrier_init(s.queries_full[i], 1);
      mbarrier_init(s.queries_empty[i], 4);
    }
    for (uint32_t i = 0; i < HopperForward::kTasks; i++) {
      mbarrier_init(s.tasks_full[i], 1);
      mbarrier_init(s.tasks_empty[i], HopperForward::kReaders);
    }
    mbarrier_fence_init();
  }
  clear_rows<HopperForward::kThreads>(call, y, call.hidden, blockIdx.x, gridDim.x);
  clear_rows<HopperForward::kThreads>(call, lse, call.heads, blockIdx.x, gridDim.x);
  __syncthreads();
  if (threadIdx.x >= HopperForward::kGroups * kWarpgroup) {
    registers_lower<32>();
    const uint32_t role = warp() % 4;
    if (role == 0) {
      const uint32_t sequences = call.sequences();
      bring_keys(s, call, map, slots_for(uint32_t(call.cu_seqlens[sequences]), sequences, kQueriesOfTask));
    } else if (role == 1) {
      bring_queries(s, call, map);
    } else if (role == 2) {
      clear_values(s, call);
    }
  } else {
    registers_raise<160>();
    const DropoutSite site = kDrops ? call.dropout.site() : DropoutSite{};
    const bool causal = call.causal();
    HopperQueries<kDrops> here{s, call, site, causal, call.factor * kLog2e, 0, {}, {}, {}, {}, {}};
    uint32_t loads = 0, tiles = 0;  // brought, and taken by anyone, before this task
    each_task(s, causal, [&](const HopperWork& work) {
      const uint32_t group = threadIdx.x / kWarpgroup;
      // the first tile of queries that is this warpgroup's
      uint32_t i = (group + HopperForward::kGroups - tiles % HopperForward::kGroups) % HopperForward::kGroups;
      if (work.stays && i >= work.tiles_q) here.pass(loads, loads + work.tiles_k);
      for (uint32_t stream = 0; work.stays ? i < work.tiles_q : stream < work.streams; stream++, i += HopperForward::kGroups) {
        const uint32_t load = work.stays ? loads : loads + stream * work.tiles_k;
        if (i < work.tiles_q)
          here.take(work, i, load, !work.stays || i + HopperForward::kGroups >= work.tiles_q, y, lse);
        else
          here.pass(load, load + work.tiles_k);
      }
      loads += work.streams * work.tiles_k;
      tiles += work.tiles_q;
    });
  }
#endif
}

// ---------------------------------------------------------------- host

inline void hopper_forward(Launch& launch, const Attention& call, bool drops, uint32_t rows, uint32_t sequences, const bf16* qkv, bf16* y,
                           float* lse) {
  const uint32_t width = 3 * call.hidden;
  const TensorMap map = launch.tensor_map(qkv, {width, rows}, {width}, {64, kTileRows}, Swizzle::b128);
  const uint32_t tasks = slots_for(rows, sequences, kQueriesOfTask) * call.heads, most = launch.chip().multiprocessors;
  launch(drops ? attention_hopper_forward<true> : attention_hopper_forward<false>, tasks < most ? tasks : most, HopperForward::kThreads,
         sizeof(HopperForwardShared), map, y, lse, call);
}

}  // namespace
