// Sums of the rows of a batch by id, gradient[id] += sum of from[n] over rows n with that id, as embeddings' gradients want
// them: the same bits every run, without float atomics, whether an id occurs once or in every row.
//
// 1. Rows are sorted by id, stable, by digits of at most nine bits (LSD radix sort, as Merrill and Grimshaw 2011): a launch
//    counts digits by tile, another places rows. A tile is one block; there are at most kTiles, so that a block can add up the
//    counts before its own. Integer counts only: no order of atomics shows in them.
// 2. The sorted rows are cut into pieces of kPiece, one warp each. A run of equal ids inside a piece goes to its gradient at
//    once; what a run has in a piece that it shares with the next or the last goes to `heads` and `tails`.
// 3. One block for each run that crosses pieces adds its parts up, in their order; of a long run a warp has neighbouring
//    parts, and warps are added in order.
// Up to three tables go through the same launches side by side.
// Floor of 2: `from` read once a table, gradients of ids that occur read and written.
#pragma once
#include "pack.cuh"

namespace {

constexpr uint32_t kGroupTables = 3;
constexpr uint32_t kDigitBits = 9, kDigits = 1u << kDigitBits;
constexpr uint32_t kSortThreads = 1024, kSortWarps = kSortThreads / kWarp;
constexpr uint32_t kTiles = 64;
constexpr uint32_t kPiece = 32;
constexpr uint32_t kPieceThreads = 256, kJoinThreads = 256;

// A table whose rows are picked by `ids`; an id outside of it counts as the nearest one inside.
struct GroupTable {
  const int32_t* ids;
  uint32_t count;
  float* gradient;
  uint32_t bits, passes;  // of a digit; digits of an id
  uint2* sorted[2];       // (id, row), where pass k leaves rows is sorted[k % 2]
  uint32_t* counts;       // [tile][digit]
  float* heads;           // [piece][width]: of the run that began in an earlier piece
  float* tails;           // [piece][width]: of the run that begins here and goes on

  __device__ __forceinline__ const uint2* in_order() const { return sorted[(passes - 1) % 2]; }
};

struct GroupTables {
  GroupTable table[kGroupTables];
  uint32_t tile;  // rows of a tile, a multiple of kSortThreads
};

__device__ __forceinline__ uint32_t clamp_id(int32_t id, uint32_t count) {
  return id < 0 ? 0 : uint32_t(id) < count ? uint32_t(id) : count - 1;
}

// ---------------------------------------------------------------- sorting

// Place k of what pass `pass` sorts.
__device__ __forceinline__ uint2 to_sort(const GroupTable& t, uint32_t pass, uint32_t k) {
  if (pass > 0) return t.sorted[(pass - 1) % 2][k];
  return make_uint2(clamp_id(t.ids[k], t.count), k);
}

__device__ __forceinline__ uint32_t digit_of(const GroupTable& t, uint32_t pass, uint32_t id) {
  return id >> (pass * t.bits) & ((1u << t.bits) - 1);
}

__global__ void __launch_bounds__(kSortThreads)
count_digits(GroupTables tables, Param<uint32_t> row_count, uint32_t pass) {
  struct Shared {
    uint32_t counts[kDigits];
  };
  Shared& s = shared_as<Shared>();
  const GroupTable& t = tables.table[blockIdx.y];
  const uint32_t rows = row_count(), begin = blockIdx.x * tables.tile;
  if (pass >= t.passes || begin >= rows) return;
  const uint32_t end = rows - begin < tables.tile ? rows : begin + tables.tile, digits = 1u << t.bits;
  if (threadIdx.x < digits) s.counts[threadIdx.x] = 0;
  __syncthreads();
  for (uint32_t k = begin + threadIdx.x; k < end; k += kSortThreads)
    atomicAdd(&s.counts[digit_of(t, pass, to_sort(t, pass, k).x)], 1u);
  __syncthreads();
  if (threadIdx.x < digits) t.counts[blockIdx.x * digits + threadIdx.x] = s.counts[threadIdx.x];
}

__device__ __forceinline__ uint32_t inclusive_scan(uint32_t v) {
#pragma unroll
  for (uint32_t d = 1; d < kWarp; d *= 2) {
    const uint32_t before = __shfl_up_sync(kWholeWarp, v, d);
    if (lane() >= d) v += before;
  }
  return v;
}

struct PlaceShared {
  uint32_t base[kDigits];                // where the next row with this digit goes
  uint32_t of_warp[kSortWarps];          // digits that the warps before it have
  uint16_t counts[kSortWarps][kDigits];  // of a warp's rows with a digit; then of those of the warps before it
};

// Places before the first row of this tile with digit `threadIdx.x`: rows with smaller digits, and those of tiles before.
__device__ __forceinline__ void find_bases(const GroupTable& t, uint32_t tiles, PlaceShared& s) {
  const uint32_t digits = 1u << t.bits;
  uint32_t total = 0, before = 0;
  if (threadIdx.x < digits) {
#pragma unroll 8
    for (uint32_t k = 0; k < tiles; k++) {
      const uint32_t count = t.counts[k * digits + threadIdx.x];
      total += count;
      if (k < blockIdx.x) before += count;
    }
  }
  const uint32_t scanned = inclusive_scan(total);
  if (lane() == kWarp - 1) s.of_warp[warp()] = scanned;
  __syncthreads();
  if (warp() == 0) {
    const uint32_t of_warp = s.of_warp[lane()];
    s.of_warp[lane()] = inclusive_scan(of_warp) - of_warp;
  }
  __syncthreads();
  if (threadIdx.x < digits) s.base[threadIdx.x] = s.of_warp[warp()] + scanned - total + before;
}

__global__ void __launch_bounds__(kSortThreads)
place_rows(GroupTables tables, Param<uint32_t> row_count, uint32_t pass) {
  PlaceShared& s = shared_as<PlaceShared>();
  const GroupTable& t = tables.table[blockIdx.y];
  const uint32_t rows = row_count(), begin = blockIdx.x * tables.tile;
  if (pass >= t.passes || begin >= rows) return;
  const uint32_t end = rows - begin < tables.tile ? rows : begin + tables.tile, digits = 1u << t.bits;
  find_bases(t, ceil_div(rows, tables.tile), s);
  uint2* to = t.sorted[pass % 2];
  for (uint32_t first = begin; first < end; first += kSortThreads) {
    for (uint32_t d = lane(); d < digits; d += kWarp) s.counts[warp()][d] = 0;
    __syncwarp();
    const bool there = first + threadIdx.x < end;
    uint2 entry = make_uint2(0, 0);
    if (there) entry = to_sort(t, pass, first + threadIdx.x);
    const uint32_t digit = digit_of(t, pass, entry.x);
    uint32_t equals = __ballot_sync(kWholeWarp, there);  // lanes with the same digit
    for (uint32_t b = 0; b < t.bits; b++) {
      const bool bit = digit >> b & 1;
      const uint32_t with = __ballot_sync(kWholeWarp, bit);
      equals &= bit ? with : ~with;
    }
    const uint32_t rank = uint32_t(__popc(equals & ((1u << lane()) - 1)));
    if (there && rank == 0) s.counts[warp()][digit] = uint16_t(__popc(equals));
    __syncthreads();
    uint32_t sum = 0;
    if (threadIdx.x < digits) {
#pragma unroll 8
      for (uint32_t w = 0; w < kSortWarps; w++) {
        const uint32_t count = s.counts[w][threadIdx.x];
        s.counts[w][threadIdx.x] = uint16_t(sum);
        sum += count;
      }
    }
    __syncthreads();
    if (there) to[s.base[digit] + s.counts[warp()][digit] + rank] = entry;
    __syncthreads();
    if (threadIdx.x < digits) s.base[threadIdx.x] += sum;
  }
}

// ---------------------------------------------------------------- sums

// A warp has N columns a lane of one piece.
template <uint32_t N>
__global__ void __launch_bounds__(kPieceThreads)
sum_pieces(GroupTables tables, const float* __restrict__ from, Param<uint32_t> row_count, uint32_t width) {
  constexpr uint32_t kAhead = 8;  // rows that are fetched before the first is added
  using Columns = Pack<float, N>;
  const GroupTable& t = tables.table[blockIdx.z];
  const uint32_t rows = row_count(), piece = blockIdx.x * (kPieceThreads / kWarp) + warp(), begin = piece * kPiece;
  if (begin >= rows) return;
  const uint32_t count = rows - begin < kPiece ? rows - begin : kPiece;
  const uint32_t h = (blockIdx.y * kWarp + lane()) * N;
  const uint2* order = t.in_order();

  uint2 mine = make_uint2(0, 0);
  if (lane() < count) mine = order[begin + lane()];
  const uint32_t next = __shfl_down_sync(kWholeWarp, mine.x, 1);
  // bit l: row l of the piece is the last of its run here
  const uint32_t ends = __ballot_sync(kWholeWarp, lane() < count && (lane() + 1 == count || next != mine.x));
  const uint32_t first_id = __shfl_sync(kWholeWarp, mine.x, 0), last_id = __shfl_sync(kWholeWarp, mine.x, count - 1);
  const bool came = begin > 0 && order[begin - 1].x == first_id;
  const bool goes = begin + count < rows && order[begin + count].x == last_id;
  const uint32_t first_end = uint32_t(__ffs(ends)) - 1;

  float sum[N] = {};
  for (uint32_t k = 0; k < count; k += kAhead) {
    Columns row[kAhead] = {}, old[kAhead] = {};
    uint32_t id[kAhead];
#pragma unroll
    for (uint32_t j = 0; j < kAhead; j++) {
      id[j] = __shfl_sync(kWholeWarp, mine.x, k + j);
      const uint32_t n = __shfl_sync(kWholeWarp, mine.y, k + j);
      if (k + j >= count || h >= width) continue;
      row[j] = Columns::load(from + size_t(n) * width + h);
      if (ends >> (k + j) & 1) old[j] = Columns::load(t.gradient + size_t(id[j]) * width + h);
    }
#pragma unroll
    for (uint32_t j = 0; j < kAhead; j++) {
      const uint32_t l = k + j;
      if (l >= count || h >= width) continue;
#pragma unroll
      for (uint32_t i = 0; i < N; i++) sum[i] += row[j][i];
      if (!(ends >> l & 1)) continue;
      float* to = t.gradient + size_t(id[j]) * width;
      if (came && l == first_end)
        to = t.heads + size_t(piece) * width;
      else if (goes && l + 1 == count)
        to = t.tails + size_t(piece) * width;
      else
#pragma unroll
        for (uint32_t i = 0; i < N; i++) sum[i] += old[j][i];
      Columns::of(sum).store(to + h);
#pragma unroll
      for (uint32_t i = 0; i < N; i++) sum[i] = 0;
    }
  }
}

// The last piece that a run has part of, which begins in `piece` and goes on: the lanes of a warp ask 32 places at a time.
__device__ __forceinline__ uint32_t last_piece(const uint2* order, uint32_t piece, uint32_t id, uint32_t pieces) {
  uint32_t last = piece + 1, end = pieces;  // `last` has the id in front, `end` has not
  while (end - last > 1) {
    const uint32_t step = ceil_div(end - last, kWarp), at = last + (lane() + 1) * step;
    const uint32_t having = __ballot_sync(kWholeWarp, at < end && order[size_t(at) * kPiece].x == id);
    last += uint32_t(__popc(having)) * step;
    if (end - last > step) end = last + step;
  }
  return last;
}

// What a warp adds up of the heads [begin, end) of a run.
template <uint32_t N>
__device__ __forceinline__ void add_heads(const GroupTable& t, uint32_t begin, uint32_t end, uint32_t width, uint32_t h,
                                          float (&sum)[N]) {
#pragma unroll 8
  for (uint32_t k = begin; k < end; k++) {
    const auto head = Pack<float, N>::load(t.heads + size_t(k) * width + h);
#pragma unroll
    for (uint32_t i = 0; i < N; i++) sum[i] += head[i];
  }
}

template <uint32_t N>
__global__ void __launch_bounds__(kJoinThreads)
join_pieces(GroupTables tables, Param<uint32_t> row_count, uint32_t width) {
  constexpr uint32_t kWarps = kJoinThreads / kWarp;
  using Columns = Pack<float, N>;
  struct Shared {
    float of_warp[kWarps][kWarp * N];
  };
  Shared& s = shared_as<Shared>();
  const GroupTable& t = tables.table[blockIdx.y];
  const uint32_t rows = row_count(), piece = blockIdx.x, begin = piece * kPiece;
  if (begin >= rows || rows - begin <= kPiece) return;
  const uint2* order = t.in_order();
  const uint32_t id = order[begin + kPiece - 1].x;
  if (order[begin + kPiece].x != id) return;
  if (begin > 0 && order[begin].x == id && order[begin - 1].x == id) return;  // it began before
  const uint32_t last = last_piece(order, piece, id, ceil_div(rows, kPiece)), heads = last - piece;

  // a short run is summed by one warp for each group of columns, a long one by all warps
  const bool is_long = heads > kWarps;
  const uint32_t each = is_long ? ceil_div(heads, kWarps) : heads;
  const uint32_t part = piece + 1 + (is_long ? warp() * each : 0), end = min(part + each, last + 1);
  for (uint32_t first = is_long ? 0 : warp() * kWarp * N; first < width; first += (is_long ? 1 : kWarps) * kWarp * N) {
    const uint32_t h = first + lane() * N;
    float sum[N] = {};
    if (h < width) add_heads<N>(t, part, end, width, h, sum);
    if (is_long) {
      __syncthreads();  // the last sums have been read
      Columns::of(sum).store(&s.of_warp[warp()][lane() * N]);
      __syncthreads();
      if (warp() > 0) continue;
#pragma unroll
      for (uint32_t i = 0; i < N; i++) sum[i] = 0;
      for (uint32_t w = 0; w < kWarps; w++) {
        const Columns of_warp = Columns::load(&s.of_warp[w][lane() * N]);
#pragma unroll
        for (uint32_t i = 0; i < N; i++) sum[i] += of_warp[i];
      }
    }
    if (h >= width) continue;
    float* to = t.gradient + size_t(id) * width + h;
    const Columns old = Columns::load(to), tail = Columns::load(t.tails + size_t(piece) * width + h);
#pragma unroll
    for (uint32_t i = 0; i < N; i++) sum[i] = tail[i] + sum[i] + old[i];
    Columns::of(sum).store(to);
  }
}

// ---------------------------------------------------------------- host

struct GroupSource {
  const int32_t* ids;
  uint32_t count;
  float* gradient;
};

// Records gradient[id] += sum of `from` [capacity, width] by id, for three tables.
inline void record_group_sums(Launch& launch, const GroupSource (&sources)[kGroupTables], const float* from, uint32_t capacity,
                              uint32_t width, Param<uint32_t> rows) {
  if (capacity == 0) return;
  const uint32_t pieces = ceil_div(capacity, kPiece);
  GroupTables tables;
  tables.tile = ceil_div(ceil_div(capacity, kTiles), kSortThreads) * kSortThreads;
  const uint32_t tiles = ceil_div(capacity, tables.tile);
  uint32_t passes = 0;
  bool wide = width % 4 == 0 && all_aligned_16(from);
  for (uint32_t i = 0; i < kGroupTables; i++) {
    GroupTable& t = tables.table[i];
    uint32_t bits = 1;
    while (bits < 32 && sources[i].count > 1u << bits) bits++;
    t.ids = sources[i].ids;
    t.count = sources[i].count;
    t.gradient = sources[i].gradient;
    t.passes = ceil_div(bits, kDigitBits);
    t.bits = ceil_div(bits, t.passes);
    for (uint2*& sorted : t.sorted) sorted = launch.scratch<uint2>(capacity);
    t.counts = launch.scratch<uint32_t>(size_t(tiles) << t.bits);
    t.heads = launch.scratch<float>(size_t(pieces) * width);
    t.tails = launch.scratch<float>(size_t(pieces) * width);
    passes = t.passes > passes ? t.passes : passes;
    wide = wide && all_aligned_16(t.gradient);
  }
  for (uint32_t pass = 0; pass < passes; pass++) {
    launch(count_digits, Grid(tiles, kGroupTables), kSortThreads, kDigits * sizeof(uint32_t), tables, rows, pass);
    launch(place_rows, Grid(tiles, kGroupTables), kSortThreads, sizeof(PlaceShared), tables, rows, pass);
  }
  const auto sum = [&](auto neighbours) {
    constexpr uint32_t N = neighbours;
    const uint32_t columns = ceil_div(width, kWarp * N);
    launch(sum_pieces<N>, Grid(ceil_div(pieces, kPieceThreads / kWarp), columns, kGroupTables), kPieceThreads, 0, tables, from,
           rows, width);
    launch(join_pieces<N>, Grid(pieces, kGroupTables), kJoinThreads, kJoinThreads * N * sizeof(float), tables, rows, width);
  };
  if (wide)
    sum(std::integral_constant<uint32_t, 4>());
  else
    sum(std::integral_constant<uint32_t, 1>());
}

}  // namespace
