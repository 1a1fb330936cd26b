// Products of f32 by multiply-adds (no TF32): C[m,n] = sum over k of A[m,k] B[n,k], each operand with k or its other index
// contiguous.
//
// A block owns a tile of C, a thread a sub-tile in registers: 8 x 8 sums cost 4 loads of 16 bytes from shared memory for 64
// multiply-adds. A warp covers 8 by 4 threads, whose runs of four elements lie side by side, so its loads meet no bank twice.
// Both operands lie in shared memory with k outermost, one step of depth being multiplied while registers hold the next one,
// which global memory is delivering. `wide` (lines and pointers in multiples of 16 bytes) loads runs of four elements, else
// single ones. Each sum adds its products in the order of k, parts of a split depth in order (product_split.cuh).
// Floor: 2 m n k operations over the rate of multiply-adds, 67 TFLOP/s on an H100.
#pragma once
#include "product_split.cuh"

namespace {

template <uint32_t kM_, uint32_t kN_, uint32_t kK_, uint32_t kThreadM_, uint32_t kThreadN_>
struct FmaTile {
  static constexpr uint32_t kM = kM_, kN = kN_, kK = kK_, kThreadM = kThreadM_, kThreadN = kThreadN_;
  static constexpr uint32_t kThreads = kM * kN / (kThreadM * kThreadN);
  static constexpr uint32_t kWarpsN = kN / (4 * kThreadN);
  static constexpr uint32_t kBlocks = kThreadM * kThreadN > 32 ? 2 : 3;  // on a multiprocessor
  static constexpr uint32_t kPad = 4;  // with it the four k of a run that is turned fall into other banks
};
using FmaLarge = FmaTile<128, 128, 8, 8, 8>;
using FmaSmall = FmaTile<64, 64, 16, 4, 4>;
using FmaNarrow = FmaTile<64, 16, 16, 4, 2>;

template <class Tile, bool kSums>
struct FmaShared {
  float4 sums[kSums ? Tile::kThreads : 1];
  struct Step {
    float a[Tile::kK][Tile::kM + Tile::kPad];
    float b[Tile::kK][Tile::kN + Tile::kPad];
  } steps[2];
};

// ---------------------------------------------------------------- operands

// What a thread brings of each step of an operand's tile of kLines x kK: runs of four elements in the order of memory.
template <uint32_t kLines, uint32_t kK, uint32_t kThreads, bool kInner, bool wide>
struct FmaOperand {
  static constexpr uint32_t kRuns = kLines * kK / 4, kEach = (kRuns + kThreads - 1) / kThreads;
  static constexpr uint32_t kAcross = kInner ? kK / 4 : kLines / 4;  // runs in a line of memory
  static constexpr uint32_t kApart = kThreads / kAcross;             // lines of memory from one run of a thread to the next
  static_assert(kThreads % kAcross == 0 && (kRuns % kThreads == 0 || kEach == 1), "runs of a thread lie below each other");


  const float* from;
  uint32_t pitch, lines, depth;
  float4 runs[kEach];

  static __device__ __forceinline__ uint32_t run() { return threadIdx.x % kAcross * 4; }
  static __device__ __forceinline__ uint32_t at() { return threadIdx.x / kAcross; }

  // `lines`: of the operand, from the tile's first on. Lines past them are read again from the last one, for sums that
  // nobody wants; only the depth must end in zeros.
  __device__ __forceinline__ FmaOperand(const float* base, uint32_t pitch, uint32_t lines, uint32_t k0, uint32_t depth)
      : pitch(pitch), lines(lines), depth(depth) {
    from = base + (kInner ? size_t(line_of(0)) * pitch + k0 + run() : size_t(k0 + at()) * pitch + first_of_run());
  }
  __device__ __forceinline__ uint32_t line_of(uint32_t u) const { return min(at() + u * kApart, lines - 1); }
  __device__ __forceinline__ uint32_t first_of_run() const { return run() < lines ? run() : 0; }

  // Reads the step at k0, which is the next one.
  __device__ __forceinline__ void load(uint32_t k0) {
#pragma unroll
    for (uint32_t u = 0; u < kEach; u++) {
      const uint32_t k = k0 + (kInner ? run() : at() + u * kApart);
      float4 v = make_float4(0, 0, 0, 0);
      if (k < depth) {
        const float* p = from + (u == 0 ? 0 : kInner ? size_t(line_of(u) - line_of(0)) * pitch : size_t(u * kApart) * pitch);
        if (wide) {
          v = load4(p);
        } else {
          const uint32_t there = kInner ? depth - k : lines - first_of_run();
          v.x = p[0];
          if (there > 1) v.y = p[1];
          if (there > 2) v.z = p[2];
          if (there > 3) v.w = p[3];
        }
      }
      runs[u] = v;
    }
    from += kInner ? kK : kK * pitch;
  }

  template <uint32_t kPitch>
  __device__ __forceinline__ void store(float (&to)[kK][kPitch]) const {
#pragma unroll
    for (uint32_t u = 0; u < kEach; u++) {
      const uint32_t i = threadIdx.x + u * kThreads;
      const uint32_t run = i % kAcross * 4, at = i / kAcross;
      if (kRuns % kThreads != 0 && i >= kRuns) continue;
      const float4 v = runs[u];
      if (kInner) {
        to[run][at] = v.x, to[run + 1][at] = v.y, to[run + 2][at] = v.z, to[run + 3][at] = v.w;
      } else {
        *reinterpret_cast<float4*>(&to[at][run]) = v;
      }
    }
  }

  // Where k is outer, a thread always brings the same four lines: it adds them up.
  __device__ __forceinline__ void add_to(float4& sums) const {
    float4 v = sums;
#pragma unroll
    for (uint32_t u = 0; u < kEach; u++) v = make_float4(v.x + runs[u].x, v.y + runs[u].y, v.z + runs[u].z, v.w + runs[u].w);
    sums = v;
  }
};

// kT elements of a thread in the line of one k: runs of up to four, 4 * kAcross elements apart.
template <uint32_t kT, uint32_t kAcross>
__device__ __forceinline__ void load_fragment(const float* line, float (&v)[kT]) {
  constexpr uint32_t kRun = kT < 4 ? kT : 4;
#pragma unroll
  for (uint32_t i = 0; i < kT; i += kRun) {
    float run[kRun];
    load_run<kRun>(line + i * kAcross, run);
#pragma unroll
    for (uint32_t j = 0; j < kRun; j++) v[i + j] = run[j];
  }
}

// ---------------------------------------------------------------- the product

struct FmaProduct {
  const float* a;
  const float* b;
  uint32_t a_step, b_step;
  Param<uint32_t> a_pitch, b_pitch, batch, m, k;
  uint32_t n;
  float* sums;
  bool wide_out;
};

template <class Tile, bool kInnerA, bool kInnerB, bool wide, bool kSums, class Epilogue>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) fma_product(FmaProduct p, Epilogue epilogue) {
  constexpr uint32_t kM = Tile::kM, kN = Tile::kN, kK = Tile::kK, kTM = Tile::kThreadM, kTN = Tile::kThreadN;
  constexpr uint32_t kRunM = kTM < 4 ? kTM : 4, kRunN = kTN < 4 ? kTN : 4;
  auto& s = shared_as<FmaShared<Tile, kSums>>();
  const auto place_of = [&](uint32_t block, uint32_t m) {
    return tile_place(block, p.batch(), (m + kM - 1) / kM, (p.n + kN - 1) / kN);
  };
  // first row and column of a thread within the tile
  const auto row_of = [](uint32_t thread) { return thread / kWarp / Tile::kWarpsN * 8 * kTM + thread % kWarp / 4 * kRunM; };
  const auto column_of = [](uint32_t thread) { return thread / kWarp % Tile::kWarpsN * 4 * kTN + thread % 4 * kRunN; };
  const uint32_t whole_depth = p.k();
  const Stretch stretch = split_of(blockIdx.y, gridDim.y, (whole_depth + kK - 1) / kK);
  const uint32_t depth = min(stretch.end * kK, whole_depth);
  const uint32_t lines_m = p.m();
  const TilePlace first = place_of(blockIdx.x, lines_m);
  if (!first.there || (gridDim.y > 1 && stretch.first == stretch.end)) return;

  // of wide operands they are constants, which take no registers
  const uint32_t a_pitch = wide ? p.a_pitch.most : p.a_pitch(), b_pitch = wide ? p.b_pitch.most : p.b_pitch();
  FmaOperand<kM, kK, Tile::kThreads, kInnerA, wide> a(
      p.a + size_t(first.batch) * p.a_step + first.m * kM * (kInnerA ? size_t(a_pitch) : 1), a_pitch,
      lines_m - first.m * kM, stretch.first * kK, depth);
  FmaOperand<kN, kK, Tile::kThreads, kInnerB, wide> b(
      p.b + size_t(first.batch) * p.b_step + first.n * kN * (kInnerB ? size_t(b_pitch) : 1), b_pitch,
      p.n - first.n * kN, stretch.first * kK, depth);
  static_assert(!kSums || !kInnerA, "a thread adds up its own lines");
  const bool sums_wanted = kSums && first.n == 0;
  if (sums_wanted) s.sums[threadIdx.x] = make_float4(0, 0, 0, 0);
  const auto load = [&](uint32_t k0) {
    a.load(k0);
    b.load(k0);
  };
  const auto store = [&](uint32_t slot) {
    if (sums_wanted) a.add_to(s.sums[threadIdx.x]);
    a.store(s.steps[slot].a);
    b.store(s.steps[slot].b);
  };

  const uint32_t row = row_of(threadIdx.x), column = column_of(threadIdx.x);
  float acc[kTM][kTN] = {};
  uint32_t k0 = stretch.first * kK, slot = 0;
  if (k0 < depth) {
    load(k0);
    store(0);
  }
  __syncthreads();
  while (k0 < depth) {
    k0 += kK;
    if (k0 < depth) load(k0);
#pragma unroll
    for (uint32_t k = 0; k < kK; k++) {
      float x[kTM], y[kTN];
      load_fragment<kTM, 8>(&s.steps[slot].a[k][row], x);
      load_fragment<kTN, 4>(&s.steps[slot].b[k][column], y);
#pragma unroll
      for (uint32_t i = 0; i < kTM; i++)
#pragma unroll
        for (uint32_t j = 0; j < kTN; j++) acc[i][j] = fmaf(x[i], y[j], acc[i][j]);
    }
    slot ^= 1;
    if (k0 < depth) store(slot);
    __syncthreads();
  }

  const uint32_t m = p.m(), n = p.n;
  const TilePlace place = place_of(computed_here(blockIdx.x), m);
  const uint32_t m0 = place.m * kM, n0 = place.n * kN;
  if constexpr (kSums) {
    const uint32_t i = threadIdx.x;
    if (place.n == 0 && i < kM && m0 + i < m) {
      constexpr uint32_t kParts = Tile::kThreads / (kM / 4);
      const float* parts = &s.sums[0].x;
      float sum = 0;
#pragma unroll
      for (uint32_t q = 0; q < kParts; q++) sum += parts[q * kM + i];
      if (gridDim.y > 1)
        p.sums[size_t(blockIdx.y) * m + m0 + i] = sum;
      else
        p.sums[m0 + i] += sum;
    }
  }

  const uint32_t thread = computed_here(threadIdx.x), out_row = m0 + row_of(thread), out_column = n0 + column_of(thread);
  const uint32_t batch_row = place.batch * m;
#pragma unroll
  for (uint32_t i = 0; i < kTM; i++) {
    const uint32_t r = out_row + i / kRunM * 8 * kRunM + i % kRunM;
    if (r >= m) continue;
#pragma unroll
    for (uint32_t j = 0; j < kTN; j += kRunN) {
      const uint32_t c = out_column + j * 4;
      float v[kRunN];
#pragma unroll
      for (uint32_t q = 0; q < kRunN; q++) v[q] = acc[i][j + q];
      if (p.wide_out) {
        if (c < n) epilogue(batch_row + r, c, v);
      } else {
#pragma unroll
        for (uint32_t q = 0; q < kRunN; q++) {
          const float one[1] = {v[q]};
          if (c + q < n) epilogue(batch_row + r, c + q, one);
        }
      }
    }
  }
}

// ---------------------------------------------------------------- the host's side

constexpr TileKind kFmaKinds[] = {{128, 128, 8, 112}, {64, 64, 16, 70}, {64, 16, 16, 40}};

template <class Tile, bool kInnerA, bool kInnerB, bool wide, bool kSums, class Epilogue>
inline void record_fma(Launch& launch, const Product<float>& p, uint32_t splits, const Epilogue& epilogue) {
  record_splits(launch, p, splits, Tile::kK, epilogue, [&](const auto& e, float* sums) {
    const FmaProduct given{p.a, p.b, p.a_step, p.b_step, p.a_pitch, p.b_pitch, p.batch, p.m, p.k, p.n, sums, e.wide() && p.n % 4 == 0};
    const uint32_t tiles = ceil_div(p.most_m, Tile::kM) * ceil_div(p.n, Tile::kN) * p.most_batch;
    launch(fma_product<Tile, kInnerA, kInnerB, wide, kSums, std::decay_t<decltype(e)>>, Grid(tiles, splits), Tile::kThreads,
           sizeof(FmaShared<Tile, kSums>), given, e);
  });
}

// Whether an operand may be read in runs of four elements: they must not cross the end of a line.
inline bool wide_operand(const float* p, Param<uint32_t> pitch, uint32_t step) {
  return aligned_16(p) && pitch.is_constant() && pitch.most % 4 == 0 && step % 4 == 0;
}

// The pitch of an operand is the length of its lines. kSums: with p.sums.
template <bool kInnerA, bool kInnerB, bool kSums = false, class Epilogue>
inline void product_fma(Launch& launch, const Product<float>& p, const Epilogue& epilogue) {
  const bool wide = wide_operand(p.a, p.a_pitch, p.a_step) && wide_operand(p.b, p.b_pitch, p.b_step);
  const TileKind* kinds = wide ? kFmaKinds : kFmaKinds + 1;
  const Plan plan = plan_product(launch.chip(), kinds, wide ? 3 : 1, p.most_batch, p.most_m, p.n, p.most_k);
  if (!wide)
    record_fma<FmaSmall, kInnerA, kInnerB, false, kSums>(launch, p, plan.splits, epilogue);
  else if (plan.kind == 0)
    record_fma<FmaLarge, kInnerA, kInnerB, true, kSums>(launch, p, plan.splits, epilogue);
  else if (plan.kind == 1)
    record_fma<FmaSmall, kInnerA, kInnerB, true, kSums>(launch, p, plan.splits, epilogue);
  else
    record_fma<FmaNarrow, kInnerA, kInnerB, true, kSums>(launch, p, plan.splits, epilogue);
}

}  // namespace
