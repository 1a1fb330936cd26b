// Sums of rows by index, for scatter_add and the gradient of gather: to target[n,h], as it is or 0, is added x[m,h] for all m
// with index[m] = n, in the order of m. No atomics: a target row has one owner.
//
// Work split: a block owns 64 target rows. It looks at all indexes, 1,024 at a time (a segment), and lists those that name
// its rows, in order. Then a warp has one of these rows and 256 of its columns at a time and adds the picks of the segment
// that name the row, two at a time under way. So each x is read once, and only indexes are read by every block.
// Few target rows (256, of f32, their number not one of run time) would leave the chip idle: there each segment is a block
// of its own, its sums go through scratch memory and a second launch adds them, segment by segment.
// Numerics: f32; a target of bf16 is rounded behind every addition.
#pragma once
#include <type_traits>

#include "ahead.cuh"

namespace {

constexpr uint32_t kPickThreads = 256, kPickWarps = kPickThreads / kWarp;
constexpr uint32_t kSegment = 1024, kPicksEach = kSegment / kPickThreads;
constexpr uint32_t kTargets = 64;  // of a block
constexpr uint32_t kPickPieces = 2, kPicksAhead = 2;
constexpr uint32_t kNever = 0xffffffffu;
static_assert(kSegment / kWarp == kWarp, "a warp scans the numbers of hits of all groups of 32 picks");

struct PickShared {
  uint32_t hits[kSegment / kWarp];
  uint32_t list[kSegment];                    // target << 16 | pick, both counted from the first
  uint32_t first_hit[kPickWarps][kTargets];   // the segment in which a warp saw a target first
};

// Neighbouring columns: 4, or 1 where rows are no multiples of four or not aligned.
template <uint32_t W>
struct Columns {
  float v[W];
};

template <uint32_t W, class T>
__device__ __forceinline__ Columns<W> load_columns(const T* p) {
  if constexpr (W == 4) {
    const float4 f = load4(p);
    return {{f.x, f.y, f.z, f.w}};
  } else {
    return {{to_float(*p)}};
  }
}

template <uint32_t W, class T>
__device__ __forceinline__ void store_columns(T* p, const Columns<W>& c) {
  if constexpr (W == 4)
    store4(p, make_float4(c.v[0], c.v[1], c.v[2], c.v[3]));
  else
    *p = from_float<T>(c.v[0]);
}

// Lists the picks of a segment that name one of `targets` rows from `first` on; returns how many. `index` is what this
// thread has of the segment: pick j * 256 + thread. The whole block calls it; the list is complete after a barrier.
__device__ __forceinline__ uint32_t list_picks(PickShared& shared, const uint32_t (&index)[kPicksEach], uint32_t first, uint32_t targets) {
  uint32_t votes[kPicksEach];
#pragma unroll
  for (uint32_t j = 0; j < kPicksEach; j++) votes[j] = __ballot_sync(kWholeWarp, index[j] - first < targets);
  __syncthreads();  // the last segment is done
#pragma unroll
  for (uint32_t j = 0; j < kPicksEach; j++)
    if (lane() == 0) shared.hits[j * kPickWarps + warp()] = uint32_t(__popc(votes[j]));
  __syncthreads();
  const uint32_t hits = shared.hits[lane()];
  uint32_t upto = hits;
#pragma unroll
  for (uint32_t d = 1; d < kWarp; d *= 2) {
    const uint32_t other = __shfl_up_sync(kWholeWarp, upto, d);
    if (lane() >= d) upto += other;
  }
#pragma unroll
  for (uint32_t j = 0; j < kPicksEach; j++) {
    const uint32_t at = __shfl_sync(kWholeWarp, upto - hits, j * kPickWarps + warp());
    if (votes[j] >> lane() & 1)
      shared.list[at + uint32_t(__popc(votes[j] & ((1u << lane()) - 1)))] = (index[j] - first) << 16 | (j * kPickThreads + threadIdx.x);
  }
  return __shfl_sync(kWholeWarp, upto, kWarp - 1);
}

// Adds rows of x, which starts with the segment, that the list gives to `target`; columns from `column` on, pieces 32 W
// apart. `start` gives a piece to begin with, where there is something to add. Returns whether there is. Whole warps.
template <uint32_t W, class T, class Start>
__device__ __forceinline__ bool sum_picks(const uint32_t* list, uint32_t length, uint32_t target, const T* x, uint32_t hidden,
                                          uint32_t column, Columns<W> (&sum)[kPickPieces], Start start) {
  bool any = false;
  const auto inside = [&](uint32_t k) { return column + k * kWarp * W < hidden; };
  for (uint32_t p = 0; p < length; p += kWarp) {
    const uint32_t entry = p + lane() < length ? list[p + lane()] : kNever;
    uint32_t found = __ballot_sync(kWholeWarp, entry >> 16 == target);
    if (found != 0 && !any) {
      any = true;
#pragma unroll
      for (uint32_t k = 0; k < kPickPieces; k++)
        if (inside(k)) sum[k] = start(column + k * kWarp * W);
    }
    while (found != 0) {
      Columns<W> v[kPicksAhead][kPickPieces];
      bool there[kPicksAhead];
#pragma unroll
      for (uint32_t u = 0; u < kPicksAhead; u++) {
        there[u] = found != 0;
        const uint32_t pick = __shfl_sync(kWholeWarp, entry, there[u] ? uint32_t(__ffs(int(found)) - 1) : 0) & 0xffffu;
        found &= found - 1;
#pragma unroll
        for (uint32_t k = 0; k < kPickPieces; k++)
          if (there[u] && inside(k)) v[u][k] = load_columns<W>(x + size_t(pick) * hidden + column + k * kWarp * W);
      }
#pragma unroll
      for (uint32_t u = 0; u < kPicksAhead; u++)
#pragma unroll
        for (uint32_t k = 0; k < kPickPieces; k++)
          if (there[u] && inside(k))
#pragma unroll
            for (uint32_t w = 0; w < W; w++) sum[k].v[w] = to_float(from_float<T>(sum[k].v[w] + v[u][k].v[w]));
    }
  }
  return any;
}

// Onto what is there; onto zeros, written also to rows that no index names; or a segment alone, onto zeros, to `partial`
// [segment, row, column].
enum class PickTo { add, write, partial };

template <PickTo kTo, uint32_t W, class T>
__global__ void __launch_bounds__(kPickThreads, 3)
pick_sums_kernel(const T* x, const uint32_t* index, T* to, float* partial, Param<uint32_t> rows_size, Param<uint32_t> picks_size,
                 uint32_t hidden) {
  constexpr uint32_t kTile = kWarp * W * kPickPieces;
  PickShared& shared = shared_as<PickShared>();
  const uint32_t rows = rows_size(), picks = picks_size(), tiles = (hidden + kTile - 1) / kTile;
  const uint32_t segments = (picks + kSegment - 1) / kSegment, groups = (rows + kTargets - 1) / kTargets;
  const uint32_t items = kTo == PickTo::partial ? groups * segments : groups;
  const auto load_index = [&](uint32_t segment, uint32_t(&mine)[kPicksEach]) {
#pragma unroll
    for (uint32_t j = 0; j < kPicksEach; j++) {
      const uint32_t m = segment * kSegment + j * kPickThreads + threadIdx.x;
      mine[j] = m < picks ? index[m] : kNever;
    }
  };
  for (uint32_t item = blockIdx.x; item < items; item += gridDim.x) {
    const uint32_t first = (kTo == PickTo::partial ? item / segments : item) * kTargets;
    const uint32_t targets = rows - first < kTargets ? rows - first : kTargets;
    uint32_t segment = kTo == PickTo::partial ? item % segments : 0;
    const uint32_t end = kTo == PickTo::partial ? segment + 1 : segments;
    uint32_t mine[kPicksEach];
    if (segment < end) load_index(segment, mine);
    if (kTo == PickTo::write) {
      for (uint32_t r = lane(); r < kTargets; r += kWarp) shared.first_hit[warp()][r] = kNever;
      __syncwarp();
    }
    for (; segment < end; segment++) {
      const uint32_t length = list_picks(shared, mine, first, targets);
      if (segment + 1 < end) load_index(segment + 1, mine);
      __syncthreads();
      if (length == 0 && kTo != PickTo::partial) continue;
      const T* from = x + size_t(segment) * kSegment * hidden;
      for (uint32_t i = warp(); i < targets * tiles; i += kPickWarps) {
        const uint32_t target = i / tiles, column = (i - target * tiles) * kTile + lane() * W;
        const size_t at = size_t(first + target) * hidden;
        const uint32_t seen = kTo == PickTo::write ? shared.first_hit[warp()][target] : kNever;
        const bool is_first = seen == kNever || seen == segment;
        Columns<W> sum[kPickPieces]{};
        const bool any = sum_picks<W>(shared.list, length, target, from, hidden, column, sum, [&](uint32_t c) {
          return kTo == PickTo::add || (kTo == PickTo::write && !is_first) ? load_columns<W>(to + at + c) : Columns<W>{};
        });
        if (!any && kTo != PickTo::partial) continue;
        if (kTo == PickTo::write) {
          __syncwarp();
          if (lane() == 0 && seen == kNever) shared.first_hit[warp()][target] = segment;
          __syncwarp();
        }
#pragma unroll
        for (uint32_t k = 0; k < kPickPieces; k++) {
          const uint32_t c = column + k * kWarp * W;
          if (c >= hidden) continue;
          if (kTo == PickTo::partial)
            store_columns<W>(partial + size_t(segment) * rows * hidden + at + c, sum[k]);
          else
            store_columns<W>(to + at + c, sum[k]);
        }
      }
    }
    if constexpr (kTo == PickTo::write) {
      for (uint32_t i = warp(); i < targets * tiles; i += kPickWarps) {
        const uint32_t target = i / tiles, column = (i - target * tiles) * kTile + lane() * W;
        if (shared.first_hit[warp()][target] != kNever) continue;
#pragma unroll
        for (uint32_t k = 0; k < kPickPieces; k++)
          if (column + k * kWarp * W < hidden)
            store_columns<W>(to + size_t(first + target) * hidden + column + k * kWarp * W, Columns<W>{});
      }
      __syncwarp();
    }
  }
}

// to += the sums of all segments, in order, or = where `write`.
template <bool write, uint32_t W>
__global__ void __launch_bounds__(kPickThreads, 4)
segments_kernel(const float* partial, float* to, Param<uint32_t> rows, Param<uint32_t> picks, uint32_t hidden) {
  const uint32_t segments = (picks() + kSegment - 1) / kSegment, n = rows() * hidden;
  for (uint32_t i = (blockIdx.x * kPickThreads + threadIdx.x) * W; i < n; i += gridDim.x * kPickThreads * W) {
    Columns<W> sum{};
    if (!write) sum = load_columns<W>(to + i);
    ahead<8>(
        0, segments, 1, [&](uint32_t s) { return load_columns<W>(partial + size_t(s) * n + i); },
        [&](uint32_t, const Columns<W>& part) {
#pragma unroll
          for (uint32_t w = 0; w < W; w++)
            if (part.v[w] != 0.f) sum.v[w] += part.v[w];  // -0 stays where nothing is added
        });
    store_columns<W>(to + i, sum);
  }
}

// Records sums of x [picks, hidden] onto, or with `write` as, `to` [rows, hidden].
template <bool write, class T>
void record_pick_sums(Launch& launch, Buffer<const T> x, Buffer<const uint32_t> index, Buffer<T> to, Param<uint32_t> rows,
                      Param<uint32_t> picks, uint32_t hidden) {
  if (to.size == 0) return;
  const auto aligned = [](const T* p) { return reinterpret_cast<uintptr_t>(p) % (4 * sizeof(T)) == 0; };
  const bool fours = hidden % 4 == 0 && aligned(x.data) && aligned(to.data);
  const size_t most = to.size / hidden, groups = (most + kTargets - 1) / kTargets;
  if constexpr (std::is_same_v<T, float>)
    if (rows.is_constant() && groups <= 4) {
      const size_t segments = (index.size + kSegment - 1) / kSegment;
      float* partial = launch.scratch<float>(segments * to.size);
      const auto sums = fours ? pick_sums_kernel<PickTo::partial, 4, T> : pick_sums_kernel<PickTo::partial, 1, T>;
      launch(sums, blocks_for(launch, groups * segments, 1), kPickThreads, sizeof(PickShared), x.data, index.data, to.data, partial,
             rows, picks, hidden);
      const auto add = fours ? segments_kernel<write, 4> : segments_kernel<write, 1>;
      launch(add, blocks_for(launch, to.size / (fours ? 4 : 1), kPickThreads), kPickThreads, 0, partial, to.data, rows, picks, hidden);
      return;
    }
  constexpr PickTo kTo = write ? PickTo::write : PickTo::add;
  const auto sums = fours ? pick_sums_kernel<kTo, 4, T> : pick_sums_kernel<kTo, 1, T>;
  launch(sums, blocks_for(launch, groups, 1), kPickThreads, sizeof(PickShared), x.data, index.data, to.data, nullptr, rows, picks, hidden);
}

}  // namespace
