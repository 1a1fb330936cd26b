// Which block of a product on Hopper does what (product_hopper.cuh). Work comes in units: a tile of the result and a stretch of the
// depth. A cluster of blocks counts as one; its blocks take rows below each other.
//
// Whole: every tile is one unit, or with `splits` as many, all tiles of a stretch one after the other (product_split.cuh adds
// the parts). For products whose tiles fill the chip a few times.
//
// Even: for gradients of weights, a few tiles of great depth. T tiles, G clusters, S steps of depth. As long as there are G
// tiles, each cluster takes a whole one. Then T < G are left, and each cluster should do S T / G =: L steps. The first
// G / T clusters for each tile, in groups of T, take the stretches [0, L), [L, 2 L), ... of all tiles: a group walks down the
// depth together, so that all read the same rows at the same time and L2 holds them. What remains of each tile, less than L,
// is laid end to end and cut evenly among the clusters that remain. Parts wait in scratch, one slot for each stretch, and are
// added in the order of the depth. So no multiprocessor is idle, and T + G parts at most are written and read, however deep.
#pragma once
#include "product_split.cuh"

namespace {

struct HopperUnit {
  uint32_t m, n;      // first row of this block, first column
  uint32_t cluster_m; // first row of its cluster
  Stretch steps;
  uint32_t slot;      // of the part, the stretch if whole
  bool is_whole;      // nothing else belongs to the tile
};

template <class Tile>
struct HopperTiles {
  static constexpr uint32_t kM = Tile::kM * Tile::kBlocks;
  uint32_t across, tiles, down, steps;  // tiles of n, all, of m
  __device__ __forceinline__ HopperTiles(uint32_t m, uint32_t n, uint32_t k)
      : across((n + Tile::kN - 1) / Tile::kN), tiles((m + kM - 1) / kM * across), down((m + kM - 1) / kM), steps((k + Tile::kK - 1) / Tile::kK) {}
  __device__ __forceinline__ HopperUnit unit(uint32_t tile, Stretch stretch, uint32_t slot, bool is_whole) const {
    const TilePlace place = tile_place(tile, 1, down, across);
    return {place.m * kM + blockIdx.x % Tile::kBlocks * Tile::kM, place.n * Tile::kN, place.m * kM, stretch, slot, is_whole};
  }
};

// ---------------------------------------------------------------- whole tiles

template <class Tile>
struct WholeUnits {
  HopperTiles<Tile> tiles;
  uint32_t splits, count, at;
  __device__ __forceinline__ WholeUnits(uint32_t m, uint32_t n, uint32_t k, uint32_t splits)
      : tiles(m, n, k), splits(splits), count(tiles.tiles * splits_used(splits, tiles.steps)), at(blockIdx.x / Tile::kBlocks) {}
  __device__ __forceinline__ bool next(HopperUnit& unit) {
    if (at >= count) return false;
    const uint32_t split = at / tiles.tiles;
    unit = tiles.unit(at - split * tiles.tiles, split_of(split, splits, tiles.steps), split, true);
    at += gridDim.x / Tile::kBlocks;
    return true;
  }
};

// ---------------------------------------------------------------- an even share for all

constexpr uint32_t kLeastSteps = 4;  // of a stretch, if there are as many

// The tiles that are left when whole ones have been given out, among `clusters`.
struct EvenCut {
  uint32_t whole, rest;          // tiles
  uint32_t groups, length;       // c and L
  uint32_t behind, left;         // first step behind the groups, and how many are left there of each tile
  uint32_t clusters, leftovers;  // all, and those without a group
  __host__ __device__ __forceinline__ EvenCut(uint32_t tiles, uint32_t clusters, uint32_t steps) : clusters(clusters) {
    rest = tiles % clusters, whole = tiles - rest;
    const uint32_t full = rest == 0 ? 0 : clusters / rest;
    leftovers = clusters - full * rest;
    cut(steps, full, steps * rest / clusters);
    if (rest == 0) return;
    const uint32_t load = most();
    cut(steps, full, steps * rest / clusters + 1);
    if (most() > load) cut(steps, full, steps * rest / clusters);
  }
  // Stretches of about `want` steps, for at most `full` clusters of each tile.
  __host__ __device__ __forceinline__ void cut(uint32_t steps, uint32_t full, uint32_t want) {
    if (leftovers == 0 && full > 0) want = (steps + full - 1) / full;
    length = want < kLeastSteps ? kLeastSteps : want;
    if (length > steps) length = steps;
    groups = length == 0 ? 0 : (steps + length - 1) / length;
    if (groups > full) groups = full;
    behind = groups * length < steps ? groups * length : steps;
    left = rest == 0 ? 0 : steps - behind;
  }
  // Steps of the cluster that has most.
  __host__ __device__ __forceinline__ uint32_t most() const {
    const uint32_t behind_most = left == 0 ? 0 : (rest * left + leftovers - 1) / leftovers;
    return behind_most > length ? behind_most : length;
  }
  __host__ __device__ __forceinline__ uint32_t slots() const { return groups * rest + leftovers + rest; }
  __device__ __forceinline__ Stretch group(uint32_t g) const {
    const uint32_t end = (g + 1) * length;
    return {g * length, end < behind ? end : behind};
  }
  // Cluster j of the leftovers has the places [from(j), from(j + 1)) of what is left, laid end to end; `owner` is the reverse.
  __device__ __forceinline__ uint32_t from(uint32_t j) const { return uint32_t(uint64_t(j) * (rest * left) / leftovers); }
  __device__ __forceinline__ uint32_t owner(uint32_t place) const { return uint32_t((uint64_t(place + 1) * leftovers - 1) / (rest * left)); }
  __device__ __forceinline__ uint32_t slot(uint32_t j, uint32_t tile) const { return groups * rest + j + tile; }
};

template <class Tile>
struct EvenUnits {
  HopperTiles<Tile> tiles;
  EvenCut cut;
  uint32_t me, tile, at, end;  // the next whole tile; places of what is left
  __device__ __forceinline__ EvenUnits(uint32_t m, uint32_t n, uint32_t k, uint32_t)
      : tiles(m, n, k), cut(tiles.tiles, gridDim.x / Tile::kBlocks, tiles.steps), me(blockIdx.x / Tile::kBlocks), tile(me), at(0), end(0) {
    const uint32_t full = cut.clusters - cut.leftovers;
    if (me >= full && cut.left > 0) at = cut.from(me - full), end = cut.from(me - full + 1);
  }
  __device__ __forceinline__ bool next(HopperUnit& unit) {
    if (tile < cut.whole) {
      unit = tiles.unit(tile, {0, tiles.steps}, 0, true);
      tile += cut.clusters;
      return tiles.steps > 0;
    }
    if (tile < cut.whole + cut.groups * cut.rest) {
      const uint32_t g = me / cut.rest;
      const Stretch stretch = cut.group(g);
      unit = tiles.unit(cut.whole + me - g * cut.rest, stretch, me, stretch.end - stretch.first == tiles.steps);
      tile = cut.whole + cut.clusters;  // behind all
      return true;
    }
    if (at >= end) return false;
    const uint32_t t = at / cut.left, offset = at - t * cut.left, first = cut.behind + offset;
    const uint32_t length = cut.left - offset < end - at ? cut.left - offset : end - at;
    unit = tiles.unit(cut.whole + t, {first, first + length}, cut.slot(me - (cut.clusters - cut.leftovers), t), length == tiles.steps);
    at += length;
    return true;
  }
};

// ---------------------------------------------------------------- the sum of an even share's parts

struct EvenParts {
  const float* parts;      // [slot][row of the cluster's tile][column]
  const float* sum_parts;  // [slot][row], or null
  float* sums;
  uint32_t clusters;
};

// A block takes kAddThreads runs of four columns at a time, one after the other in memory, a thread one of them.
template <class Tile, class Epilogue>
__global__ void __launch_bounds__(kAddThreads)
add_even(EvenParts p, Param<uint32_t> rows, Param<uint32_t> depth, uint32_t columns, Epilogue epilogue) {
  constexpr uint32_t kM = HopperTiles<Tile>::kM, kSlot = kM * Tile::kN, kPieces = kSlot / (4 * kAddThreads);
  static_assert(kSlot % (4 * kAddThreads) == 0 && kM <= kAddThreads, "pieces are whole");
  const uint32_t m = rows();
  const HopperTiles<Tile> tiles(m, columns, depth());
  const EvenCut cut(tiles.tiles, p.clusters, tiles.steps);
  if (cut.rest == 0 || tiles.steps == 0 || cut.length == tiles.steps) return;  // there are no parts
  for (uint32_t piece = blockIdx.x; piece < cut.rest * kPieces; piece += gridDim.x) {
    const uint32_t tile = piece / kPieces, at = piece % kPieces * (4 * kAddThreads) + threadIdx.x * 4;
    const TilePlace place = tile_place(cut.whole + tile, 1, tiles.down, tiles.across);
    const uint32_t row = place.m * kM + at / Tile::kN, column = place.n * Tile::kN + at % Tile::kN;
    // of the first piece of a tile of the first columns, a thread adds the sums of one row as well
    const uint32_t sum_row = place.m * kM + threadIdx.x;
    const bool is_there = row < m && column < columns;
    const bool sums_wanted = p.sums != nullptr && piece % kPieces == 0 && place.n == 0 && threadIdx.x < kM && sum_row < m;
    float v[4] = {}, sum = 0;
    const auto add = [&](uint32_t slot) {
      float part[4];
      if (is_there) {
        load_run<4>(p.parts + size_t(slot) * kSlot + at, part);
#pragma unroll
        for (uint32_t i = 0; i < 4; i++) v[i] += part[i];
      }
      if (sums_wanted) sum += p.sum_parts[slot * kM + threadIdx.x];
    };
    for (uint32_t g = 0; g < cut.groups; g++) add(g * cut.rest + tile);
    if (cut.left > 0) {
      const uint32_t last = cut.owner((tile + 1) * cut.left - 1);
      for (uint32_t j = cut.owner(tile * cut.left); j <= last; j++)
        if (cut.from(j) < cut.from(j + 1)) add(cut.slot(j, tile));
    }
    if (is_there) epilogue(row, column, v);
    if (sums_wanted) p.sums[sum_row] += sum;
  }
}

}  // namespace
