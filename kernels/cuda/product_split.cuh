// What all tiled products share: what a product is, the order of its tiles, how many blocks share the depth of a tile
// (split-K), and the sum of their parts.
//
// The depth is cut into `splits` stretches of whole steps, by the sizes of the run alone; each leaves its sums in scratch,
// and a second launch adds them in order and calls the epilogue. So the bits do not depend on which block is first, and
// any epilogue works with any number of splits. The number comes from the sizes at capacity and the chip (plan_product).
#pragma once
#include "epilogue.cuh"
#include "kernel.cuh"

namespace {

inline Param<uint32_t> constant(uint32_t value) { return {nullptr, value}; }

// C[m,n] = sum over k of A[m,k] B[n,k], `batch` times. An operand is "inner" where its k is contiguous: A[m,k] lies at
// m * a_pitch + k then, at k * a_pitch + m else; B alike. What lies past m or k in memory is never read.
template <class T>
struct Product {
  const T* a;
  const T* b;
  Param<uint32_t> a_pitch, b_pitch;
  Param<uint32_t> m;
  uint32_t n;
  Param<uint32_t> k;
  uint32_t most_m, most_k;  // at capacity
  Param<uint32_t> batch = {nullptr, 1};
  uint32_t most_batch = 1;
  uint32_t a_step = 0, b_step = 0;  // elements from one of a batch to the next
  uint32_t a_part = 0, b_part = 0;  // elements from one part to the next, of operands in parts (parts.cuh)
  // Added to with the sums of A over k, one for each m; null if nobody wants them. No batch then.
  float* sums = nullptr;
};

// ---------------------------------------------------------------- tiles

// The same value, which the compiler takes for another one: what is derived from it is computed here, and not before a
// loop through which it would occupy registers.
__device__ __forceinline__ uint32_t computed_here(uint32_t value) {
#if defined(__CUDACC__)
  asm volatile("" : "+r"(value));
#endif
  return value;
}

struct TilePlace {
  bool there;
  uint32_t batch, m, n;  // m and n in tiles
};

// Tiles in groups of kGroup tiles of rows, so that blocks that run at the same time share rows and columns in L2. Blocks
// past the tiles of this run get none.
__device__ __forceinline__ TilePlace tile_place(uint32_t block, uint32_t batches, uint32_t tiles_m, uint32_t tiles_n) {
  constexpr uint32_t kGroup = 8;
  const uint32_t tiles = tiles_m * tiles_n;
  if (block >= tiles * batches) return {false, 0, 0, 0};
  const uint32_t batch = block / tiles, tile = block - batch * tiles;
  const uint32_t group = tile / (kGroup * tiles_n), in_group = tile - group * kGroup * tiles_n;
  const uint32_t first = group * kGroup, rows = tiles_m - first < kGroup ? tiles_m - first : kGroup;
  const uint32_t n = in_group / rows;
  return {true, batch, first + in_group - n * rows, n};
}

struct Stretch {
  uint32_t first, end;  // in steps of depth
};

__device__ __forceinline__ Stretch split_of(uint32_t split, uint32_t splits, uint32_t steps) {
  const uint32_t each = (steps + splits - 1) / splits;
  const uint32_t first = split * each;
  return {first < steps ? first : steps, first + each < steps ? first + each : steps};
}

// How many of the splits have any steps; the first ones.
__device__ __forceinline__ uint32_t splits_used(uint32_t splits, uint32_t steps) {
  const uint32_t each = (steps + splits - 1) / splits;
  return each == 0 ? 0 : (steps + each - 1) / each;
}

// ---------------------------------------------------------------- the sum of parts

// Sums of one stretch of the depth, one plane of scratch a stretch.
struct StorePart {
  float* parts;
  uint32_t pitch;
  size_t plane;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    store_run<kN>(parts + blockIdx.y * plane + size_t(row) * pitch + column, sums);
  }
  bool wide() const { return true; }
};

struct Parts {
  const float* parts;
  size_t plane;
  uint32_t pitch;                    // of scratch
  uint32_t splits, step, products;   // the depth of a step, and how often the depth is gone through
  const float* sum_parts;            // [splits, m], or null
  float* sums;
};

constexpr uint32_t kAddThreads = 256;

// One thread has kN neighbouring columns.
template <uint32_t kN, class Epilogue>
__global__ void __launch_bounds__(kAddThreads)
add_parts(Parts p, Param<uint32_t> rows, Param<uint32_t> depth, uint32_t columns, Epilogue epilogue) {
  const uint32_t m = rows(), k = depth();
  const uint32_t splits = splits_used(p.splits, (k + p.step - 1) / p.step * p.products);
  const uint32_t runs = columns / kN, count = m * runs;
  const uint32_t thread = blockIdx.x * kAddThreads + threadIdx.x;
  for (uint32_t i = thread; i < count; i += gridDim.x * kAddThreads) {
    const uint32_t row = i / runs, column = (i - row * runs) * kN;
    const float* at = p.parts + size_t(row) * p.pitch + column;
    float sums[kN] = {};
#pragma unroll 4
    for (uint32_t s = 0; s < splits; s++) {
      float v[kN];
      load_run<kN>(at + s * p.plane, v);
#pragma unroll
      for (uint32_t j = 0; j < kN; j++) sums[j] += v[j];
    }
    epilogue(row, column, sums);
  }
  if (p.sums == nullptr) return;
  for (uint32_t i = thread; i < m; i += gridDim.x * kAddThreads) {
    float sum = 0;
    for (uint32_t s = 0; s < splits; s++) sum += p.sum_parts[size_t(s) * m + i];
    p.sums[i] += sum;
  }
}

// ---------------------------------------------------------------- the plan

struct TileKind {
  uint32_t m, n, k;
  float rate;  // multiply-adds a clock and multiprocessor, about
};

struct Plan {
  uint32_t kind, splits;
  double clocks;  // about
};

// The kind of tile and the number of splits that should take the fewest clocks: all multiprocessors take as many turns as
// the one with most blocks, a block costs its depth and what it does once, parts are written and read through L2.
constexpr uint32_t kMostSplits = 32;

inline Plan plan_product(const Chip& chip, const TileKind* kinds, uint32_t count, uint32_t batch, uint32_t m, uint32_t n, uint32_t k,
                         uint32_t most_splits = kMostSplits) {
  constexpr double kOnce = 64, kBytesAClock = 16, kLaunch = 4000, kMostScratch = 64 << 20;
  Plan best{0, 1, 0};
  for (uint32_t kind = 0; kind < count; kind++) {
    const TileKind& t = kinds[kind];
    const double tiles = double(ceil_div(m, t.m)) * ceil_div(n, t.n) * batch, steps = ceil_div(k, t.k);
    for (uint32_t splits = 1; splits <= most_splits; splits++) {
      if (splits > 1 && (batch > 1 || splits * 4 > steps || splits * 4.0 * m * n > kMostScratch)) break;
      const double blocks = tiles * splits, each = double(uint64_t((steps + splits - 1) / splits)) * t.k;
      const double turns = double(uint64_t((blocks + chip.multiprocessors - 1) / chip.multiprocessors));
      double clocks = turns * t.m * t.n * (each + kOnce) / t.rate;
      if (splits > 1) clocks += kLaunch + (8.0 * splits + 8) * m * n / (kBytesAClock * chip.multiprocessors);
      if ((kind > 0 || splits > 1) && clocks >= best.clocks) continue;
      best = {kind, splits, clocks};
    }
  }
  return best;
}

// Records record(epilogue, sums) or, where the depth is split, the same with what takes the parts, and then their sum. `products`:
// how often a product goes through the depth.
template <class T, class Epilogue, class Record>
inline void record_splits(Launch& launch, const Product<T>& p, uint32_t splits, uint32_t step, const Epilogue& epilogue, Record record,
                          uint32_t products = 1) {
  if (splits == 1) {
    record(epilogue, p.sums);
    return;
  }
  const uint32_t pitch = (p.n + 7) / 8 * 8;
  const size_t plane = size_t(p.most_m) * pitch;
  float* parts = launch.scratch<float>(plane * splits);
  float* sum_parts = p.sums ? launch.scratch<float>(size_t(p.most_m) * splits) : nullptr;
  record(StorePart{parts, pitch, plane}, sum_parts);
  const Parts from{parts, plane, pitch, splits, step, products, sum_parts, p.sums};
  const bool wide = epilogue.wide() && p.n % 4 == 0;
  const uint32_t blocks = blocks_for(launch, uint64_t(p.most_m) * p.n / (wide ? 4 : 1), kAddThreads);
  launch(wide ? add_parts<4, Epilogue> : add_parts<1, Epilogue>, blocks, kAddThreads, 0, from, p.m, p.k, p.n, epilogue);
}

}  // namespace
