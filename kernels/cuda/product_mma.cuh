// Products of bf16 on tensor cores as every chip from sm_80 on has them: C[m,n] = sum over k of A[m,k] B[n,k] in f32, each
// operand with k or its other index contiguous. No operand is ever copied in another order: `ldmatrix` turns what lies turned.
//
// A block owns a tile of C, a warp 64 x 64 (32 x 32 in small tiles) of it in registers: 32 products of 16 x 8 x 16 for 8 loads
// of fragments. Steps of depth arrive in kStages buffers of shared memory through cp.async while earlier ones are multiplied;
// fragments of the next 16 of k are loaded while those before are multiplied, also across steps, so there is one barrier a
// step. Chunks of 16 bytes are swizzled: the eight that a phase of ldmatrix reads, and those that a line's copy writes, lie in
// different banks. Sums leave through shared memory, so that the epilogue has runs of four columns and whole lines.
//
// `wide` (lines and pointers in multiples of 16 bytes) copies asynchronously, else elements are read one by one.
// kProducts above 1: operands are sums of parts (parts.cuh), and their product is one of 3 or 6 times the depth: those of the
// parts, the smallest first, so that what the hardware cuts off when it adds is cut off small sums most of the time.
// Sums of A over k (the gradient of a bias) are products with ones, of blocks in the first column of tiles.
// Floor: 2 m n k operations over 312 TFLOP/s on an A100; mma.sync reaches about 60% of an H100's 989 (product_hopper.cuh).
// The pipeline follows CUTLASS (Thakkar et al.), its tiles and their order in L2 too.
#pragma once
#include "mma.cuh"
#include "product_split.cuh"

namespace {

template <uint32_t kM_, uint32_t kN_, uint32_t kK_, uint32_t kWarpsM_, uint32_t kWarpsN_, uint32_t kStages_, uint32_t kBlocks_>
struct MmaTile {
  static constexpr uint32_t kM = kM_, kN = kN_, kK = kK_, kWarpsM = kWarpsM_, kWarpsN = kWarpsN_, kStages = kStages_;
  static constexpr uint32_t kBlocks = kBlocks_;  // on a multiprocessor
  static constexpr uint32_t kThreads = kWarp * kWarpsM * kWarpsN;
  static constexpr uint32_t kWarpM = kM / kWarpsM, kWarpN = kN / kWarpsN;
  static constexpr uint32_t kFragmentsM = kWarpM / 16, kFragmentsN = kWarpN / 8;
};
using MmaWide = MmaTile<128, 256, 32, 2, 4, 4, 1>;
using MmaSquare = MmaTile<128, 128, 32, 2, 2, 4, 2>;
using MmaSmall = MmaTile<64, 64, 64, 2, 2, 3, 3>;

// Lines of a warp's staged sums: 8 more floats, so that its accumulators fall into all banks.
template <class Tile>
constexpr uint32_t kStagePitch = Tile::kWarpN + 8;

template <class Tile>
union MmaShared {
  struct {
    bf16 a[Tile::kStages][Tile::kM * Tile::kK];
    bf16 b[Tile::kStages][Tile::kN * Tile::kK];
  };
  float staged[Tile::kThreads / kWarp][16 * kStagePitch<Tile>];
};

// ---------------------------------------------------------------- operands

// An operand's tile of kRows x kK in shared memory, in lines of memory: of kK elements where k is inner, else of kRows.
template <uint32_t kRows, uint32_t kK, bool kInner>
struct MmaLayout {
  static constexpr uint32_t kLines = kInner ? kRows : kK;
  static constexpr uint32_t kChunks = (kInner ? kK : kRows) / 8;  // of 8 elements, in a line
  static_assert(kChunks == 4 || kChunks % 8 == 0, "a swizzle is known");

  // Where a chunk lies, in elements.
  static __device__ __forceinline__ uint32_t at(uint32_t line, uint32_t chunk) {
    const uint32_t swizzle = kChunks == 4 ? line / 2 % 4 : line % 8;
    return (line * kChunks + (chunk ^ swizzle)) * 8;
  }
};

// What a thread copies of each step.
template <uint32_t kRows, uint32_t kK, uint32_t kThreads, bool kInner, bool wide>
struct MmaCopy {
  using Layout = MmaLayout<kRows, kK, kInner>;
  static constexpr uint32_t kEach = Layout::kLines * Layout::kChunks / kThreads, kApart = kThreads / Layout::kChunks;
  static_assert(kThreads % Layout::kChunks == 0 && kApart % 8 == 0 && kEach > 0, "chunks of a thread lie below each other");

  const bf16* base;  // the first chunk at k = 0
  uint32_t pitch, rows;

  static __device__ __forceinline__ uint32_t line() { return threadIdx.x / Layout::kChunks; }
  static __device__ __forceinline__ uint32_t chunk() { return threadIdx.x % Layout::kChunks; }
  static __device__ __forceinline__ uint32_t row() { return kInner ? line() : chunk() * 8; }

  // `rows`: of the operand, from the tile's first on. Rows past them are read again from the last one, for sums that nobody
  // wants; only the depth must end in zeros.
  __device__ __forceinline__ MmaCopy(const bf16* from, uint32_t pitch, uint32_t rows) : base(from), pitch(pitch), rows(rows) {
    base += kInner ? chunk() * 8 : size_t(line()) * pitch + (row() < rows ? row() : 0);
  }

  // Starts the copy of the step at k0 into `to`. `offset` in elements.
  __device__ __forceinline__ void start(bf16* to, uint32_t k0, uint32_t depth, uint32_t offset) const {
    const bf16* from = base + offset + (kInner ? size_t(k0) : size_t(k0) * pitch);
    bf16* const place = to + Layout::at(line(), chunk());
#pragma unroll
    for (uint32_t u = 0; u < kEach; u++) {
      const uint32_t k = k0 + (kInner ? chunk() * 8 : line() + u * kApart);
      const bf16* p = from + (kInner ? size_t(min(line() + u * kApart, rows - 1)) : size_t(u * kApart)) * pitch;
      bf16* const target = place + u * kApart * Layout::kChunks * 8;  // a multiple of 8 lines further: the same swizzle
      if (wide) {
        cp_async_16(target, k < depth ? p : base, k < depth);
      } else {
        uint32_t pairs[4] = {};
        const uint32_t there = k >= depth ? 0 : kInner ? depth - k : row() < rows ? rows - row() : 1;
#pragma unroll
        for (uint32_t i = 0; i < 8; i++)
          if (i < there) pairs[i / 2] |= uint32_t(p[i].bits) << i % 2 * 16;
        *reinterpret_cast<uint4*>(target) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
      }
    }
  }
};

// Fragments of A at 16 of k: of rows row0 + 16 i.
template <class Layout, bool kInner, uint32_t kCount>
__device__ __forceinline__ void load_a(uint32_t (&a)[kCount][4], const bf16* tile, uint32_t row0, uint32_t k) {
  const uint32_t l = lane();
#pragma unroll
  for (uint32_t i = 0; i < kCount; i++) {
    const uint32_t row = row0 + i * 16;
    if (kInner)
      ldmatrix_x4(a[i], tile + Layout::at(row + l % 16, k / 8 + l / 16));
    else
      ldmatrix_x4_trans(a[i], tile + Layout::at(k + l / 16 * 8 + l % 8, row / 8 + l / 8 % 2));
  }
}

// Fragments of B at 16 of k: of columns column0 + 8 j.
template <class Layout, bool kInner, uint32_t kCount>
__device__ __forceinline__ void load_b(uint32_t (&b)[kCount][2], const bf16* tile, uint32_t column0, uint32_t k) {
  const uint32_t l = lane();
#pragma unroll
  for (uint32_t j = 0; j < kCount; j += 2) {
    const uint32_t column = column0 + j * 8;
    uint32_t pair[4];
    if (kInner)
      ldmatrix_x4(pair, tile + Layout::at(column + l / 16 * 8 + l % 8, k / 8 + l / 8 % 2));
    else
      ldmatrix_x4_trans(pair, tile + Layout::at(k + l / 8 % 2 * 8 + l % 8, column / 8 + l / 16));
    b[j][0] = pair[0], b[j][1] = pair[1], b[j + 1][0] = pair[2], b[j + 1][1] = pair[3];
  }
}

// ---------------------------------------------------------------- a tile

struct MmaOperands {
  const bf16* a;
  const bf16* b;
  uint32_t a_pitch, b_pitch;
  uint32_t a_part, b_part;  // elements from one part to the next
};

// Products of parts (of A, of B), part 0 the largest: (2,0) (0,2) (1,1) (1,0) (0,1) (0,0); of three the last three.
__device__ __forceinline__ uint32_t part_of_a(uint32_t product) { return 0x52u >> 2 * product & 3; }
__device__ __forceinline__ uint32_t part_of_b(uint32_t product) { return 0x118u >> 2 * product & 3; }

// The sums of a warp, and its share of the sums of A.
template <class Tile, bool kSums>
struct MmaSums {
  static constexpr uint32_t kShare = (Tile::kFragmentsM + Tile::kWarpsN - 1) / Tile::kWarpsN;
  float c[Tile::kFragmentsM][Tile::kFragmentsN][4];
  float of_a[kSums ? kShare : 1][4];

  static __device__ __forceinline__ uint32_t row() { return warp() / Tile::kWarpsN * Tile::kWarpM; }
  static __device__ __forceinline__ uint32_t column() { return warp() % Tile::kWarpsN * Tile::kWarpN; }
};

// Multiplies the steps of a stretch of the depth `k` for the tile at row m0 and column n0. All threads of a block call it; when
// it returns shared memory is free.
template <class Tile, bool kInnerA, bool kInnerB, bool wide, uint32_t kProducts, bool kSums>
__device__ __forceinline__ void mma_tile(MmaShared<Tile>& s, const MmaOperands& p, uint32_t m0, uint32_t n0, uint32_t m, uint32_t n,
                                         uint32_t k, Stretch stretch, bool sums_wanted, MmaSums<Tile, kSums>& sums) {
  constexpr uint32_t kM = Tile::kM, kN = Tile::kN, kK = Tile::kK, kStages = Tile::kStages, kParts = kK / 16;
  using LayoutA = MmaLayout<kM, kK, kInnerA>;
  using LayoutB = MmaLayout<kN, kK, kInnerB>;
  const MmaCopy<kM, kK, Tile::kThreads, kInnerA, wide> copy_a(p.a + (kInnerA ? size_t(m0) * p.a_pitch : m0), p.a_pitch, m - m0);
  const MmaCopy<kN, kK, Tile::kThreads, kInnerB, wide> copy_b(p.b + (kInnerB ? size_t(n0) * p.b_pitch : n0), p.b_pitch, n - n0);
  static_assert(kProducts == 1 || (kProducts == 3 || kProducts == 6), "products of parts");
  constexpr uint32_t kFirst = 6 - kProducts;
  const uint32_t steps = (k + kK - 1) / kK;  // of one product of parts
  const auto start = [&](uint32_t step) {
    const uint32_t slot = (step - stretch.first) % kStages;
    const uint32_t product = kProducts == 1 ? 0 : step / steps, k0 = (step - product * steps) * kK;
    copy_a.start(s.a[slot], k0, k, kProducts == 1 ? 0 : part_of_a(kFirst + product) * p.a_part);
    copy_b.start(s.b[slot], k0, k, kProducts == 1 ? 0 : part_of_b(kFirst + product) * p.b_part);
  };

#pragma unroll
  for (uint32_t i = 0; i < Tile::kFragmentsM; i++)
#pragma unroll
    for (uint32_t j = 0; j < Tile::kFragmentsN; j++)
#pragma unroll
      for (uint32_t q = 0; q < 4; q++) sums.c[i][j][q] = 0;
#pragma unroll
  for (auto& share : sums.of_a)
#pragma unroll
    for (float& v : share) v = 0;

#pragma unroll
  for (uint32_t i = 0; i < kStages - 1; i++) {
    if (stretch.first + i < stretch.end) start(stretch.first + i);
    cp_async_commit();
  }
  cp_async_wait<kStages - 2>();
  __syncthreads();

  const uint32_t row = sums.row(), column = sums.column();
  uint32_t a[2][Tile::kFragmentsM][4], b[2][Tile::kFragmentsN][2];
  const auto load = [&](uint32_t to, uint32_t slot, uint32_t part) {
    load_a<LayoutA, kInnerA>(a[to], s.a[slot], row, part * 16);
    load_b<LayoutB, kInnerB>(b[to], s.b[slot], column, part * 16);
  };
  if (stretch.first < stretch.end) load(0, 0, 0);
  uint32_t slot = 0;
  for (uint32_t step = stretch.first; step < stretch.end; step++) {
#pragma unroll
    for (uint32_t part = 0; part < kParts; part++) {
      if (part == kParts - 1) {  // the next step has arrived, and nobody reads this one any more
        slot = slot + 1 == kStages ? 0 : slot + 1;
        cp_async_wait<kStages - 2>();
        __syncthreads();
        if (step + 1 < stretch.end) load((part + 1) % 2, slot, 0);
      } else {
        load((part + 1) % 2, slot, part + 1);
      }
      if (part == 0) {
        if (step + kStages - 1 < stretch.end) start(step + kStages - 1);
        cp_async_commit();
      }
#pragma unroll
      for (uint32_t i = 0; i < Tile::kFragmentsM; i++)
#pragma unroll
        for (uint32_t j = 0; j < Tile::kFragmentsN; j++) mma_m16n8k16(sums.c[i][j], a[part % 2][i], b[part % 2][j]);
      if (kSums && sums_wanted && (kProducts == 1 || part_of_b(kFirst + step / steps) == 0)) {  // each part of A once
        constexpr uint32_t kOnes = 0x3f803f80;
        const uint32_t ones[2] = {kOnes, kOnes};
#pragma unroll
        for (uint32_t i = 0; i < Tile::kFragmentsM; i++)
          if (i % Tile::kWarpsN == warp() % Tile::kWarpsN) mma_m16n8k16(sums.of_a[i / Tile::kWarpsN], a[part % 2][i], ones);
      }
    }
  }
  cp_async_wait<0>();
  __syncthreads();
}

// Calls f(row, column, sums of four columns) for the sums of a warp in lines, through its part of shared memory.
template <class Tile, class Sums, class F>
__device__ __forceinline__ void staged_runs(MmaShared<Tile>& s, const Sums& sums, F f) {
  constexpr uint32_t kPitch = kStagePitch<Tile>, kRuns = Tile::kWarpN / 4, kLines = kWarp / kRuns;
  float* const stage = s.staged[warp()];
  const uint32_t l = lane();
#pragma unroll
  for (uint32_t i = 0; i < Tile::kFragmentsM; i++) {
    __syncwarp();
#pragma unroll
    for (uint32_t j = 0; j < Tile::kFragmentsN; j++)
#pragma unroll
      for (uint32_t q = 0; q < 2; q++)
        *reinterpret_cast<float2*>(stage + (l / 4 + q * 8) * kPitch + j * 8 + l % 4 * 2) =
            make_float2(sums.c[i][j][2 * q], sums.c[i][j][2 * q + 1]);
    __syncwarp();
#pragma unroll 2
    for (uint32_t r = l / kRuns; r < 16; r += kLines) {
      float v[4];
      load_run<4>(stage + r * kPitch + l % kRuns * 4, v);
      f(sums.row() + i * 16 + r, sums.column() + l % kRuns * 4, v);
    }
  }
}

// Calls f(row, column, sum) for the sums of a thread.
template <class Tile, class Sums, class F>
__device__ __forceinline__ void each_sum(const Sums& sums, F f) {
#pragma unroll
  for (uint32_t i = 0; i < Tile::kFragmentsM; i++)
#pragma unroll
    for (uint32_t j = 0; j < Tile::kFragmentsN; j++)
#pragma unroll
      for (uint32_t q = 0; q < 4; q++)
        f(sums.row() + i * 16 + lane() / 4 + q / 2 * 8, sums.column() + j * 8 + lane() % 4 * 2 + q % 2, sums.c[i][j][q]);
}

// ---------------------------------------------------------------- the product

struct MmaProduct {
  MmaOperands operands;
  Param<uint32_t> m, k;
  uint32_t n;
  float* sums;
  bool wide_out;
};

template <class Tile, bool kInnerA, bool kInnerB, bool wide, uint32_t kProducts, bool kSums, class Epilogue>
__global__ void __launch_bounds__(Tile::kThreads, wide ? Tile::kBlocks : 2) mma_product(MmaProduct p, Epilogue epilogue) {
  auto& s = shared_as<MmaShared<Tile>>();
  const uint32_t m = p.m(), n = p.n, k = p.k();
  const TilePlace place = tile_place(blockIdx.x, 1, (m + Tile::kM - 1) / Tile::kM, (n + Tile::kN - 1) / Tile::kN);
  const Stretch stretch = split_of(blockIdx.y, gridDim.y, (k + Tile::kK - 1) / Tile::kK * kProducts);
  if (!place.there || (gridDim.y > 1 && stretch.first == stretch.end)) return;
  const uint32_t m0 = place.m * Tile::kM, n0 = place.n * Tile::kN;

  MmaSums<Tile, kSums> sums;
  mma_tile<Tile, kInnerA, kInnerB, wide, kProducts, kSums>(s, p.operands, m0, n0, m, n, k, stretch, place.n == 0, sums);

  if (kSums && place.n == 0 && lane() % 4 == 0) {  // all columns are the same
#pragma unroll
    for (uint32_t i = 0; i < Tile::kFragmentsM; i++) {
      if (i % Tile::kWarpsN != warp() % Tile::kWarpsN) continue;
#pragma unroll
      for (uint32_t q = 0; q < 2; q++) {
        const uint32_t row = m0 + sums.row() + i * 16 + q * 8 + lane() / 4;
        const float sum = sums.of_a[i / Tile::kWarpsN][2 * q];
        if (row >= m) continue;
        if (gridDim.y > 1)
          p.sums[size_t(blockIdx.y) * m + row] = sum;
        else
          p.sums[row] += sum;
      }
    }
  }
  if (p.wide_out) {
    staged_runs<Tile>(s, sums, [&](uint32_t row, uint32_t column, const float (&v)[4]) {
      if (m0 + row < m && n0 + column < n) epilogue(m0 + row, n0 + column, v);
    });
  } else {
    each_sum<Tile>(sums, [&](uint32_t row, uint32_t column, float sum) {
      const float v[1] = {sum};
      if (m0 + row < m && n0 + column < n) epilogue(m0 + row, n0 + column, v);
    });
  }
}

// ---------------------------------------------------------------- the host's side

constexpr TileKind kMmaKinds[] = {{128, 256, 32, 900}, {128, 128, 32, 850}, {64, 64, 64, 500}};

template <class Tile, bool kInnerA, bool kInnerB, bool wide, uint32_t kProducts, bool kSums, class Epilogue>
inline void record_mma(Launch& launch, const Product<bf16>& p, uint32_t splits, const Epilogue& epilogue) {
  record_splits(launch, p, splits, Tile::kK, epilogue, [&](const auto& e, float* sums) {
    const MmaProduct given{{p.a, p.b, p.a_pitch.most, p.b_pitch.most, p.a_part, p.b_part}, p.m, p.k, p.n, sums, e.wide() && p.n % 4 == 0};
    const uint32_t tiles = ceil_div(p.most_m, Tile::kM) * ceil_div(p.n, Tile::kN);
    launch(mma_product<Tile, kInnerA, kInnerB, wide, kProducts, kSums, std::decay_t<decltype(e)>>, Grid(tiles, splits), Tile::kThreads,
           sizeof(MmaShared<Tile>), given, e);
  }, kProducts);
}

// Whether an operand may be copied in chunks of eight elements: they must not cross the end of a line.
inline bool wide_operand(const bf16* p, Param<uint32_t> pitch) { return aligned_16(p) && pitch.most % 8 == 0; }

// Pitches are constants. kSums: with p.sums; kProducts: of operands in parts, which are wide.
template <bool kInnerA, bool kInnerB, bool kSums = false, uint32_t kProducts = 1, class Epilogue>
inline void product_mma(Launch& launch, const Product<bf16>& p, const Epilogue& epilogue) {
  const bool wide = kProducts > 1 || (wide_operand(p.a, p.a_pitch) && wide_operand(p.b, p.b_pitch));
  const TileKind* kinds = wide ? kMmaKinds : kMmaKinds + 2;
  const Plan plan = plan_product(launch.chip(), kinds, wide ? 3 : 1, 1, p.most_m, p.n, p.most_k * kProducts);
  if constexpr (kProducts == 1) {
    if (!wide) {
      record_mma<MmaSmall, kInnerA, kInnerB, false, kProducts, kSums>(launch, p, plan.splits, epilogue);
      return;
    }
  }
  if (plan.kind == 0)
    record_mma<MmaWide, kInnerA, kInnerB, true, kProducts, kSums>(launch, p, plan.splits, epilogue);
  else if (plan.kind == 1)
    record_mma<MmaSquare, kInnerA, kInnerB, true, kProducts, kSums>(launch, p, plan.splits, epilogue);
  else
    record_mma<MmaSmall, kInnerA, kInnerB, true, kProducts, kSums>(launch, p, plan.splits, epilogue);
}

}  // namespace
