// Products of bf16 on sm_90a: C[m,n] = sum over k of A[m,k] B[n,k], each operand with k or its other index contiguous.
//
// A block stays on its multiprocessor and takes tile after tile of 128 x kN (256, 192 or 128 columns). One thread lets the copy
// engine bring steps of 64 of k into a ring of stages; two warpgroups multiply, each 64 rows of the tile by all its columns,
// with one step of wgmma under way while the next is issued. Full and empty stages are told by mbarriers, nobody else meets.
// The second warpgroup starts kLead steps late and stays so: while the first finishes its rows (bias, GELU, stores), the second
// keeps the tensor cores, and the first the second's turn. Registers: 40 for the copying warpgroup, 232 for the others, of
// which kN / 2 are sums.
//
// Arithmetic for 128 x 256 (H100: 132 multiprocessors, tensor cores 2,048 multiply-adds a clock, shared memory 128 bytes):
// - a step is 128 x 256 x 64 multiply-adds, 1,024 clocks. Issue: 8 wgmma of 128 clocks each, of 4 a warpgroup's step.
// - shared memory: a wgmma reads 64 x 16 of A and 256 x 16 of B, 10 KB in its 128 clocks: 80 bytes a clock. The ring is filled
//   with 48 KB a step, 48 bytes a clock. Both together are all of 128; a wgmma of 128 columns alone would read 96.
// - L2: 48 bytes a clock and multiprocessor. See kBlocks below.
// - K = 768: 12 steps, 12,288 clocks a tile; its result is 64 KB of bf16, 5 bytes a clock.
// The smaller tiles are for sizes whose 256-wide tiles leave multiprocessors idle in their last turn (plan_product chooses).
//
// Sums are f32 in the order of k, parts of a split depth in order (product_split.cuh). Rows past the run-time m are computed and
// dropped; where k is the run-time size (neither operand has it contiguous), what lies past it in the last step is cleared
// in shared memory, since the buffers may hold anything there. p.sums, the sums of A over k, is one more wgmma of 8 columns of
// ones, in tiles of the first columns.
// The method is that of CUTLASS's persistent cooperative kernels and of FlashAttention-3 (Shah et al. 2024, section 3.1).
#pragma once
#include "hopper_units.cuh"
#include "product_rows.cuh"

namespace {

constexpr uint32_t kHopperConsumers = 2 * kWarpgroup, kHopperThreads = 3 * kWarpgroup;

template <uint32_t kN_, uint32_t kBlocks_>
struct HopperTile {
  static constexpr uint32_t kM = 128, kN = kN_, kK = 64, kBlocks = kBlocks_;
  static constexpr uint32_t kStages = kN == 128 ? 6 : 4;
  static constexpr uint32_t kLead = 2;  // of the first warpgroup, in steps
  static constexpr uint32_t kBytes = (kM + kN) * kK * 2;
};

template <class Tile>
struct HopperShared {
  alignas(1024) bf16 a[Tile::kStages][Tile::kM * Tile::kK];
  alignas(1024) bf16 b[Tile::kStages][Tile::kN * Tile::kK];
  alignas(128) RowsShared rows[kHopperConsumers / kWarp];
  alignas(128) bf16 ones[8 * 16];
  Mbarrier full[Tile::kStages], empty[Tile::kStages];
};

struct HopperProduct {
  Param<uint32_t> m, k;
  uint32_t n, splits;
  float* sums;  // of A over k: added to, or with splits their parts [splits, m]
  float* parts;      // of an even share (hopper_units.cuh)
  float* sum_parts;
};

// The place in the ring, and the parity of its turn.
template <class Tile>
struct HopperRing {
  uint32_t stage = 0, turn = 0;
  __device__ __forceinline__ void next() {
    if (++stage == Tile::kStages) stage = 0, turn ^= 1;
  }
};

// ---------------------------------------------------------------- the copying thread

template <uint32_t kAll>
__device__ __forceinline__ void bring_b(bf16* to, const TensorMap& b, Mbarrier& full, int32_t x, int32_t y) {
  if constexpr (kAll == 1)
    tma_load(to, b, full, x, y);
  else
    tma_load_in(kAll, to, b, full, x, y);
}

template <class Tile, bool kInnerA, bool kInnerB, class Units>
__device__ __forceinline__ void hopper_bring(HopperShared<Tile>& s, const TensorMap& a, const TensorMap& b, Units units) {
  HopperRing<Tile> ring;
  // each block of a cluster brings its part of B for all: of its lines if k is inner, else of the depth of each
  constexpr uint32_t kParts = Tile::kBlocks, kAll = (1u << kParts) - 1;
  const uint32_t part = blockIdx.x % kParts;
  HopperUnit unit;
  while (units.next(unit)) {
    for (uint32_t step = unit.steps.first; step < unit.steps.end; step++, ring.next()) {
      Mbarrier& full = s.full[ring.stage];
      const int32_t k = int32_t(step * Tile::kK);
      mbarrier_wait(s.empty[ring.stage], ring.turn ^ 1);
      mbarrier_arrive_expect(full, Tile::kBytes);
      if (kInnerA) {
        tma_load(s.a[ring.stage], a, full, k, int32_t(unit.m));
      } else {
#pragma unroll
        for (uint32_t i = 0; i < Tile::kM; i += 64) tma_load(s.a[ring.stage] + i * Tile::kK, a, full, int32_t(unit.m + i), k);
      }
      if (kInnerB) {
        constexpr uint32_t kLines = Tile::kN / kParts;
        bring_b<kAll>(s.b[ring.stage] + part * kLines * Tile::kK, b, full, k, int32_t(unit.n + part * kLines));
      } else {
        constexpr uint32_t kDepth = Tile::kK / kParts;
#pragma unroll
        for (uint32_t i = 0; i < Tile::kN; i += 64)
          bring_b<kAll>(s.b[ring.stage] + i * Tile::kK + part * kDepth * 64, b, full, int32_t(unit.n + i), k + int32_t(part * kDepth));
      }
    }
  }
}

// ---------------------------------------------------------------- the multiplying warpgroups

// Zeros for the last of the 64 k of a stage, in which `there` are left. All of both warpgroups.
template <class Tile>
__device__ __forceinline__ void hopper_clear(HopperShared<Tile>& s, uint32_t stage, uint32_t there) {
  const uint32_t chunks = (Tile::kK - there) * 8;  // of 16 bytes in each block of 64 columns
  for (uint32_t i = threadIdx.x; i < (Tile::kM + Tile::kN) / 64 * chunks; i += kHopperConsumers) {
    const uint32_t block = i / chunks, at = block * (64 * Tile::kK) + there * 64 + i % chunks * 8;
    bf16* p = block < Tile::kM / 64 ? s.a[stage] + at : s.b[stage] + (at - Tile::kM * Tile::kK);
    *reinterpret_cast<uint4*>(p) = make_uint4(0, 0, 0, 0);
  }
  fence_async();
  barrier_sync(2, kHopperConsumers);
}

// The warp has read a stage: the copying threads of all blocks that fill it learn of it.
template <class Tile>
__device__ __forceinline__ void hopper_give_back(HopperShared<Tile>& s, uint32_t stage) {
  if constexpr (Tile::kBlocks == 1) {
    if (lane() == 0) mbarrier_arrive(s.empty[stage]);
  } else {
    if (lane() < Tile::kBlocks) mbarrier_arrive_in(s.empty[stage], lane());
  }
}

// The steps of a unit: d, and with kSums the sums of A. `starts`: the first unit of a block, in which the warpgroups get apart.
template <class Tile, bool kInnerA, bool kInnerB, bool kSums>
__device__ __forceinline__ void hopper_steps(HopperShared<Tile>& s, HopperRing<Tile>& ring, Stretch steps, uint32_t depth, bool starts,
                                             float (&d)[Tile::kN / 2], float (&sums)[kSums ? 4 : 1]) {
  constexpr uint32_t kN = Tile::kN, kK = Tile::kK;
  constexpr Major kA = kInnerA ? Major::k : Major::mn, kB = kInnerB ? Major::k : Major::mn;
  constexpr uint32_t kFurtherA = kInnerA ? 32 : 2048, kFurtherB = kInnerB ? 32 : 2048;  // bytes to the next 16 of k
  const uint32_t group = threadIdx.x / kWarpgroup;
  const uint32_t led = steps.first + Tile::kLead < steps.end ? steps.first + Tile::kLead : steps.end - 1;
  if (starts && group == 1) barrier_sync(1, kHopperConsumers);
  uint32_t last = 0;
  for (uint32_t step = steps.first; step < steps.end; step++) {
    mbarrier_wait(s.full[ring.stage], ring.turn);
    if (starts && group == 0 && step == led) barrier_arrive(1, kHopperConsumers);
    if (!kInnerA && !kInnerB && (step + 1) * kK > depth) hopper_clear(s, ring.stage, depth - step * kK);
    const uint64_t at_a = descriptor(s.a[ring.stage] + group * (64 * kK), 0, 1024, Swizzle::b128);
    const uint64_t at_b = descriptor(s.b[ring.stage], 64 * kK * 2, 1024, Swizzle::b128);
    const bool adds = step > steps.first;
    if constexpr (kSums)
      wgmma_fence(d, sums);
    else
      wgmma_fence(d);
#pragma unroll
    for (uint32_t i = 0; i < kK / 16; i++)
      wgmma<kN, kA, kB>(d, further(at_a, i * kFurtherA), further(at_b, i * kFurtherB), adds || i > 0);
    if constexpr (kSums) {
      const uint64_t ones = descriptor(s.ones, 128, 256, Swizzle::none);
#pragma unroll
      for (uint32_t i = 0; i < kK / 16; i++) wgmma<8, kA, Major::k>(sums, further(at_a, i * kFurtherA), ones, adds || i > 0);
    }
    wgmma_commit();
    if (adds) {
      if constexpr (kSums)
        wgmma_wait<1>(d, sums);
      else
        wgmma_wait<1>(d);
      hopper_give_back<Tile>(s, last);
    }
    last = ring.stage;
    ring.next();
  }
  wgmma_wait<0>(d);
  if constexpr (kSums) pin(sums);
  hopper_give_back<Tile>(s, last);
}

template <class Tile, bool kInnerA, bool kInnerB, bool kSums, bool kEven, class Units, class Epilogue>
__device__ __forceinline__ void hopper_multiply(HopperShared<Tile>& s, const HopperProduct& p, uint32_t m, uint32_t depth, Units units,
                                                const Epilogue& epilogue) {
  constexpr uint32_t kN = Tile::kN, kClusterM = Tile::kM * Tile::kBlocks;
  HopperRing<Tile> ring;
  HopperUnit unit;
  for (bool starts = true; units.next(unit); starts = false) {
    const uint32_t row = unit.m + warp() * kRowsOfWarp;
    announce_rows<kN>(epilogue, row, m, unit.n, p.n);
    float d[kN / 2];
    if (kSums && unit.n == 0) {
      float sums[4];
      hopper_steps<Tile, kInnerA, kInnerB, true>(s, ring, unit.steps, depth, starts, d, sums);
#pragma unroll
      for (uint32_t half = 0; half < 2; half++) {
        const uint32_t r = row + lane() / 4 + half * 8;
        if (lane() % 4 != 0 || r >= m) continue;
        if (!unit.is_whole)
          p.sum_parts[size_t(unit.slot) * kClusterM + r - unit.cluster_m] = sums[2 * half];
        else if (p.splits > 1)
          p.sums[size_t(unit.slot) * m + r] = sums[2 * half];
        else
          p.sums[r] += sums[2 * half];
      }
    } else {
      float none[1];
      hopper_steps<Tile, kInnerA, kInnerB, false>(s, ring, unit.steps, depth, starts, d, none);
    }
    RowsShared& rows = s.rows[warp()];
    if (kEven && !unit.is_whole) {
      const StorePart part{p.parts + size_t(unit.slot) * (kClusterM * kN), kN, 0};
      finish_rows<kN>(d, rows, part, row - unit.cluster_m, m - unit.cluster_m, 0, p.n - unit.n);
    } else {
      Epilogue e = epilogue;
      if constexpr (std::is_same<Epilogue, StorePart>::value) e.parts += unit.slot * e.plane;
      finish_rows<kN>(d, rows, e, row, m, unit.n, p.n);
    }
  }
}

// ---------------------------------------------------------------- the kernel

template <class Tile, bool kInnerA, bool kInnerB, bool kSums, bool kEven, class Epilogue>
__global__ void __launch_bounds__(kHopperThreads, 1) BIOALBERT_CLUSTER(Tile::kBlocks)
hopper_product(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, HopperProduct p, Epilogue epilogue) {
#if defined(BIOALBERT_HOPPER)
  auto& s = shared_as<HopperShared<Tile>>();
  if (threadIdx.x == 0) {
    for (uint32_t i = 0; i < Tile::kStages; i++) {
      mbarrier_init(s.full[i], 1);
      mbarrier_init(s.empty[i], kHopperConsumers / kWarp * Tile::kBlocks);
    }
    mbarrier_fence_init();
  }
  if (kSums && threadIdx.x < 8 * 16) {
    s.ones[threadIdx.x] = from_float<bf16>(1.0f);
    fence_async();
  }
  if constexpr (Tile::kBlocks > 1)
    cluster_sync();
  else
    __syncthreads();
  const uint32_t m = p.m(), k = p.k();
  const std::conditional_t<kEven, EvenUnits<Tile>, WholeUnits<Tile>> units(m, p.n, k, p.splits);
  if (threadIdx.x >= kHopperConsumers) {
    registers_lower<40>();
    if (threadIdx.x < kHopperConsumers + kWarp && elect_one()) hopper_bring<Tile, kInnerA, kInnerB>(s, a, b, units);
  } else {
    registers_raise<232>();
    hopper_multiply<Tile, kInnerA, kInnerB, kSums, kEven>(s, p, m, k, units, epilogue);
  }
  if constexpr (Tile::kBlocks > 1) {
    __syncwarp();
    cluster_sync();
  }
#endif
}

// ---------------------------------------------------------------- the host's side

// Clusters of two blocks as if they were one multiprocessor of twice the rate, and single blocks.
constexpr TileKind kHopperKinds[] = {{256, 256, 64, 3200}, {256, 192, 64, 2900}, {128, 128, 64, 1200}};
constexpr uint32_t kHopperPairs = 2;  // of these kinds, the first ones

// All clusters end at the same time, but parts go through L2.
inline double clocks_of_even(const Chip& chip, const TileKind& t, uint32_t clusters, uint32_t m, uint32_t n, uint32_t k) {
  constexpr double kOnce = 64, kBytesAClock = 16, kLaunch = 4000;
  const uint32_t tiles = ceil_div(m, t.m) * ceil_div(n, t.n), steps = ceil_div(k, t.k);
  const EvenCut cut(tiles, clusters, steps);
  const double each = double(t.m) * t.n / t.rate;
  double clocks = cut.whole / clusters * each * (double(steps) * t.k + kOnce);
  if (cut.rest == 0) return clocks;
  clocks += each * (double(cut.most()) * t.k + kOnce);
  return clocks + (cut.length == steps ? 0 : kLaunch + 8.0 * cut.slots() * t.m * t.n / (kBytesAClock * chip.multiprocessors));
}

template <bool kEven>
inline Plan plan_hopper(const Chip& chip, uint32_t m, uint32_t n, uint32_t k) {
  Plan best{0, 1, 0};
  for (uint32_t kind = 0; kind < 3; kind++) {
    if (kEven && kind == 1) continue;  // shares are even with any tile
    Chip clusters = chip;
    if (kind < kHopperPairs) clusters.multiprocessors /= 2;
    const TileKind& t = kHopperKinds[kind];
    Plan plan = kEven ? Plan{0, 1, clocks_of_even(chip, t, clusters.multiprocessors, m, n, k)}
                      : plan_product(clusters, &t, 1, 1, m, n, k, kind < kHopperPairs ? 1 : kMostSplits);
    plan.kind = kind;
    if (kind == 0 || plan.clocks < best.clocks) best = plan;
  }
  return best;
}

// Whether this product can be had here: lines of whole 16 bytes, and only one run-time size, in the outer index.
template <bool kInnerA, bool kInnerB, class Epilogue>
inline bool fits_hopper(const Chip& chip, const Product<bf16>& p, const Epilogue& epilogue) {
  const auto whole = [](const bf16* at, Param<uint32_t> pitch) { return aligned_16(at) && pitch.is_constant() && pitch.most % 8 == 0; };
  const bool depth_fits = (!kInnerA && !kInnerB) || p.k.is_constant();
  return chip.capability == 90 && p.batch.is_constant() && p.most_batch == 1 && depth_fits && whole(p.a, p.a_pitch) &&
         whole(p.b, p.b_pitch) && p.n % 8 == 0 && p.most_m > 0 && p.most_k > 0 && epilogue.wide();
}

template <class Tile, bool kInnerA, bool kInnerB, bool kSums, bool kEven, class Epilogue>
inline void record_hopper(Launch& launch, const Product<bf16>& p, uint32_t splits, const Epilogue& epilogue) {
  // of an operand with `lines` of its outer index, in boxes of so many lines or so much depth
  const auto map = [&](const bf16* at, bool inner, uint32_t lines, uint32_t pitch, uint32_t box) {
    const uint32_t across = inner ? p.most_k : lines, down = inner ? lines : p.most_k;
    return launch.tensor_map(at, {across, down}, {pitch}, {64, box}, Swizzle::b128);
  };
  const TensorMap a = map(p.a, kInnerA, p.most_m, p.a_pitch.most, kInnerA ? Tile::kM : Tile::kK);
  const TensorMap b = map(p.b, kInnerB, p.n, p.b_pitch.most, (kInnerB ? Tile::kN : Tile::kK) / Tile::kBlocks);
  const uint32_t clusters = launch.chip().multiprocessors / Tile::kBlocks;
  const auto record = [&](auto even, const auto& e, uint32_t used, const HopperProduct& given) {
    launch_cluster(launch, Tile::kBlocks, hopper_product<Tile, kInnerA, kInnerB, kSums, decltype(even)::value, std::decay_t<decltype(e)>>,
                   Tile::kBlocks * used, kHopperThreads, sizeof(HopperShared<Tile>), a, b, given, e);
  };
  if constexpr (kEven) {
    constexpr uint32_t kM = HopperTiles<Tile>::kM;
    // no run has more parts
    const uint32_t slots = clusters + ceil_div(p.most_m, kM) * ceil_div(p.n, Tile::kN) % clusters;
    float* parts = launch.scratch<float>(size_t(slots) * kM * Tile::kN);
    float* sum_parts = p.sums ? launch.scratch<float>(size_t(slots) * kM) : nullptr;
    record(std::true_type(), epilogue, clusters, HopperProduct{p.m, p.k, p.n, 1, p.sums, parts, sum_parts});
    launch(add_even<Tile, Epilogue>, blocks_for(launch, uint64_t(p.most_m) * p.n / 4, kAddThreads), kAddThreads, 0,
           EvenParts{parts, sum_parts, p.sums, clusters}, p.m, p.k, p.n, epilogue);
  } else {
    const auto whole = [&](const auto& e, float* sums) {
      const uint32_t units = ceil_div(p.most_m, HopperTiles<Tile>::kM) * ceil_div(p.n, Tile::kN) * splits;
      record(std::false_type(), e, units < clusters ? units : clusters, HopperProduct{p.m, p.k, p.n, splits, sums, nullptr, nullptr});
    };
    if constexpr (Tile::kBlocks == 1)
      record_splits(launch, p, splits, Tile::kK, epilogue, whole);
    else
      whole(epilogue, p.sums);
  }
}

// Gradients of weights, with neither k contiguous, are shared out evenly.
template <bool kInnerA, bool kInnerB>
constexpr bool kHopperEven = !kInnerA && !kInnerB;

// Records the product if it can be had here. kSums: with p.sums.
template <bool kInnerA, bool kInnerB, bool kSums = false, class Epilogue>
inline bool product_hopper(Launch& launch, const Product<bf16>& p, const Epilogue& epilogue) {
  if (!fits_hopper<kInnerA, kInnerB>(launch.chip(), p, epilogue)) return false;
  constexpr bool kEven = kHopperEven<kInnerA, kInnerB>;
  const Plan plan = plan_hopper<kEven>(launch.chip(), p.most_m, p.n, p.most_k);
  if (plan.kind == 0)
    record_hopper<HopperTile<256, 2>, kInnerA, kInnerB, kSums, kEven>(launch, p, plan.splits, epilogue);
  else if (plan.kind == 2)
    record_hopper<HopperTile<128, 1>, kInnerA, kInnerB, kSums, kEven>(launch, p, plan.splits, epilogue);
  else if constexpr (!kEven)
    record_hopper<HopperTile<192, 2>, kInnerA, kInnerB, kSums, kEven>(launch, p, plan.splits, epilogue);
  return true;
}

}  // namespace
