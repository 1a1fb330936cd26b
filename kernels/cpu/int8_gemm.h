// Products of a dense layer on operands of 8 bits: y[rows,out] = x[rows,in] weight^T.
//
// Weights are quantised once (pack_int8.cc) with a scale for each channel, activations in every product with a scale for
// each row: q = round(127 v / largest |v|), symmetric, so v ~ q scale. Sums of q q' are exact in 32 bits over the whole of K:
// a term is at most 255 x 127 where activations are offset to u8 (simd/dot.h) and the start of a sum at most 128 x 127 K, so
// |sum| < (255 + 128) 127 K < 2^31 for K <= kMostK. Exact sums are the same whatever the order, threads and instruction set.
// A row or channel with a NaN or an infinity in it has the scale NaN, and so all that it gives is NaN. One whose largest
// magnitude is below kTiniest counts as zero, because 127 over it may overflow.
//
// Work split: first tasks of kQuantiseTask rows quantise x into the shared memory, for as many rows at a time as fit there,
// so that no thread does it twice; then tasks of kInt8Rows rows x kInt8Panels panels multiply. A panel of weights stays in L1
// (in L2 for a long K) while the rows of a task pass by. There are no blocks of K: a tile of y is complete when its
// sums leave the registers, and scales and epilogue follow at once.
#pragma once
#include "gemm.h"
#include "simd/dot.h"
#if defined(BIOALBERT_TILES_INT8)
#include "simd/tile.h"
#elif defined(BIOALBERT_QUADS)
#include "simd/quad.h"
#endif

namespace {

// A product of the micro-kernel: rows x columns of y, and the steps of K that it takes at a time.
#if defined(BIOALBERT_TILES_INT8)
constexpr uint32_t kInt8TileRows = kSide, kInt8TileColumns = kSide, kInt8Steps = 64;
using Int8Scope = TileScope;
#else
constexpr uint32_t kInt8TileRows = kTileRows, kInt8TileColumns = kTileColumns, kInt8Steps = kGroup;
struct Int8Scope {
  Int8Scope() {}
};
#endif
constexpr uint32_t kInt8Vectors = kInt8TileColumns / W;

// Rows of quantised activations that stand side by side: for each group of steps those of one row after the other.
#if defined(BIOALBERT_INT8_BY_LANE) || defined(BIOALBERT_QUADS)
constexpr uint32_t kTogether = kInt8TileRows;
static_assert(kGroup % W == 0, "a vector is quantised into one group");
#else
constexpr uint32_t kTogether = 1;
#endif
template <uint32_t together>
constexpr size_t place_of(uint32_t k) {
  return together == 1 ? k : size_t(k / kGroup) * (together * kGroup) + k % kGroup;
}

constexpr uint32_t kMostK = 32768;  // src/ops/pack_int8.ts refuses more
static_assert(int64_t(255 + 128) * 127 * kMostK < INT32_MAX, "sums fit 32 bits");
constexpr uint32_t kInt8Rows = kBlockM, kInt8Panels = 2;
static_assert(kInt8Rows % kInt8TileRows == 0, "whole tiles in a task");
constexpr uint32_t kPanelStep = kInt8TileColumns * kGroup;  // bytes of a panel for one group of steps
constexpr float kTiniest = 0x1p-100f;
constexpr uint32_t kQuantiseTask = 16;  // rows

inline uint32_t rounded_up(uint32_t n, uint32_t unit) { return (n + unit - 1) / unit * unit; }

// A weight [out,in]: `scale` and `start` of every column of every panel, then the panels, each kGroup steps of kInt8TileColumns
// columns after the other. Columns and steps that are missing are zero. src/ops/shape.ts gives it room for all instruction
// sets: (out + 64) (in + 72) bytes.
template <class Byte, class Float, class Int>
struct Int8Weight {
  Float* scale;
  Int* start;  // of the sums: -kOffset times the sum of the channel
  Byte* panels;
  size_t panel_bytes;
};
template <class Byte, class Float, class Int>
inline Int8Weight<Byte, Float, Int> int8_weight(Byte* packed, uint32_t out, uint32_t in) {
  const size_t columns = rounded_up(out, kInt8TileColumns), groups = rounded_up(in, kInt8Steps) / kGroup;
  Float* scale = reinterpret_cast<Float*>(packed);
  return {scale, reinterpret_cast<Int*>(scale + columns), packed + (columns * 8 + 63) / 64 * 64, groups * kPanelStep};
}

// The largest magnitude among n values; NaN if one of them is NaN.
inline float largest_magnitude(const float* x, uint32_t n) {
  alignas(64) int32_t bits[W] = {};
  Sums most = load_sums(bits);
  vectors(n, [&](uint32_t i, uint32_t m) { most = larger_bits(most, load_n(x + i, m)); });
  store_sums(bits, most);
  for (uint32_t i = 1; i < W; i++)
    if (bits[i] > bits[0]) bits[0] = bits[i];
  float found;
  memcpy(&found, bits, sizeof found);
  return found;
}

// Quantises n values and returns their scale; `to` has room for whole vectors, in which zeros follow the values. `together` rows
// stand side by side.
template <uint32_t together, class T>
inline float quantise(const float* x, uint32_t n, T* to) {
  const float most = largest_magnitude(x, n);
  const bool is_finite = most <= 3.402823466e38f;
  const V factor = set1(is_finite && most >= kTiniest ? 127.0f / most : 0.0f);
  vectors(n, [&](uint32_t i, uint32_t m) {
    store_quantised(to + place_of<together>(i), is_finite ? load_n(x + i, m) * factor : zero());
  });
  return is_finite ? (most >= kTiniest ? most * (1.0f / 127.0f) : 0.0f) : NAN;
}

#if defined(BIOALBERT_TILES_INT8)

// The sums of 32 rows of `groups` groups with one panel, row by row. Rows from `rows` on are whatever lies there, and what is
// behind a row's values is multiplied by zeros of the weight.
__attribute__((noinline)) void int8_product(uint32_t groups, const Quantised* a, size_t a_row, uint32_t, const int8_t* b,
                                            const int32_t*, int32_t* sums) {
  tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  const int8_t* lower = a + 16 * a_row;
  for (uint32_t g = 0; g < groups; g += 16, a += kInt8Steps, lower += kInt8Steps, b += 16 * kPanelStep) {
    tile_load<4>(a, ptrdiff_t(a_row)), tile_load<6>(b, kPanelStep);
    tile_dot_int8<0, 4, 6>();
    tile_load<7>(b + 64, kPanelStep);
    tile_dot_int8<1, 4, 7>();
    tile_load<5>(lower, ptrdiff_t(a_row));
    tile_dot_int8<2, 5, 6>();
    tile_dot_int8<3, 5, 7>();
  }
  constexpr ptrdiff_t row = kInt8TileColumns * sizeof(int32_t);
  tile_store<0>(sums, row), tile_store<1>(sums + 16, row);
  tile_store<2>(sums + 16 * kInt8TileColumns, row), tile_store<3>(sums + 16 * kInt8TileColumns + 16, row);
}

#elif defined(BIOALBERT_QUADS)

// The same for eight rows.
__attribute__((noinline)) void int8_product(uint32_t groups, const Quantised* a, size_t, uint32_t, const int8_t* b, const int32_t*,
                                            int32_t* sums) {
  quads_product<kInt8TileColumns / 2, kInt8TileRows * kGroup, kPanelStep>(groups, a, b, sums, kInt8TileColumns, false);
}
static_assert(kInt8TileRows == kQuadRows, "rows of a product");

#else

// The sums of kTileRows rows of `groups` groups with one panel, row by row. Rows from `rows` on repeat the first, or are whatever
// lies there.
__attribute__((noinline)) void int8_product(uint32_t groups, const Quantised* a, size_t a_row, uint32_t rows, const int8_t* b,
                                            const int32_t* start, int32_t* sums) {
  Sums acc[kTileRows][kTileVectors];
  [[maybe_unused]] const Quantised* ar[kTileRows];
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++) {
    ar[r] = a + (r < rows ? r * a_row : 0);
#pragma GCC unroll 3
    for (uint32_t v = 0; v < kTileVectors; v++) acc[r][v] = load_sums(start + v * W);
  }
  for (size_t k = 0; k < size_t(groups) * kGroup; k += kGroup) {
    decltype(load_weights(b)) bv[kTileVectors];
#pragma GCC unroll 3
    for (uint32_t v = 0; v < kTileVectors; v++) bv[v] = load_weights(b + v * kVectorBytes);
    b += kPanelStep;
#if defined(BIOALBERT_INT8_BY_LANE)
    decltype(load_group(a)) av[kTileRows / W];
#pragma GCC unroll 2
    for (uint32_t i = 0; i < kTileRows / W; i++) av[i] = load_group(a + k * kTileRows + i * W * kGroup);
#pragma GCC unroll 8
    for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
      for (uint32_t v = 0; v < kTileVectors; v++) acc[r][v] = dot_lane(acc[r][v], av[r / W], r % W, bv[v]);
#else
#pragma GCC unroll 8
    for (uint32_t r = 0; r < kTileRows; r++) {
      const auto av = load_group(ar[r] + k);
#pragma GCC unroll 3
      for (uint32_t v = 0; v < kTileVectors; v++) acc[r][v] = dot(acc[r][v], av, bv[v]);
    }
#endif
  }
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
    for (uint32_t v = 0; v < kTileVectors; v++) store_sums(sums + (r * kTileVectors + v) * W, acc[r][v]);
}

#endif

// Takes rows x columns of the sums of a tile through scales and epilogue to y.
template <class Epilogue>
inline void finish_int8_tile(const int32_t* sums, uint32_t rows, uint32_t columns, const float* row_scale, const float* scale,
                             float* y, size_t y_row, uint32_t row0, uint32_t column0, const Epilogue& epilogue) {
  for (uint32_t r = 0; r < rows; r++)
    for (uint32_t v = 0; v < kInt8Vectors && v * W < columns; v++) {
      const uint32_t n = columns - v * W < W ? columns - v * W : W;
      const V x = to_floats(sums + (r * kInt8Vectors + v) * W) * (set1(row_scale[r]) * load(scale + v * W));
      store_n(y + r * y_row + v * W, epilogue(x, row0 + r, column0 + v * W, n), n);
    }
}

template <class Epilogue>
inline void int8_gemm(Team& team, uint32_t rows, uint32_t out, uint32_t in, const float* x, const int8_t* packed, float* y,
                      const Epilogue& epilogue) {
  const auto weight = int8_weight<const int8_t, const float, const int32_t>(packed, out, in);
  const uint32_t groups = rounded_up(in, kInt8Steps) / kGroup;
  const uint32_t across = (out + kInt8Panels * kInt8TileColumns - 1) / (kInt8Panels * kInt8TileColumns);
  // an odd number of lines, so that neighbouring rows do not fall into one set of the cache
  constexpr uint32_t kLineElements = 64 / sizeof(Quantised);
  const size_t stride = (rounded_up(in, kLineElements) / kLineElements | 1) * kLineElements;
  const size_t bytes = Team::kSharedFloats * sizeof(float);
  const uint32_t fit = uint32_t(bytes / (stride * sizeof(Quantised) + sizeof(float))) / kInt8Rows * kInt8Rows;
  const uint32_t tall = fit > 0 ? fit : kInt8TileRows;
  [[maybe_unused]] const Int8Scope scope;
  Quantised* q = reinterpret_cast<Quantised*>(team.shared());
  float* scales = team.shared() + Team::kSharedFloats - tall;
  for (uint32_t r0 = 0; r0 < rows; r0 += tall) {
    const uint32_t m = rows - r0 < tall ? rows - r0 : tall;
    each_range(team, m, kQuantiseTask, [&](uint32_t begin, uint32_t end) {
      for (uint32_t r = begin; r < end; r++)
        scales[r] = quantise<kTogether>(x + size_t(r0 + r) * in, in,
                                        q + r / kTogether * kTogether * stride + r % kTogether * kGroup);
    });
    each(team, across * ((m + kInt8Rows - 1) / kInt8Rows), [&](uint32_t t) {
      const uint32_t m0 = t / across * kInt8Rows, m1 = m - m0 < kInt8Rows ? m : m0 + kInt8Rows;
      for (uint32_t p = 0; p < kInt8Panels; p++) {
        const uint32_t j = (t % across * kInt8Panels + p) * kInt8TileColumns;
        if (j >= out) break;
        for (uint32_t i = m0; i < m1; i += kInt8TileRows) {
          alignas(64) int32_t sums[kInt8TileRows * kInt8TileColumns];
          const uint32_t down = m1 - i < kInt8TileRows ? m1 - i : kInt8TileRows;
          const uint32_t columns = out - j < kInt8TileColumns ? out - j : kInt8TileColumns;
          float* c = y + size_t(r0 + i) * out + j;
          prefetch_tile(c, out, down, columns);
          int8_product(groups, q + i * stride, stride, down, weight.panels + j / kInt8TileColumns * weight.panel_bytes,
                       weight.start + j, sums);
          finish_int8_tile(sums, down, columns, scales + i, weight.scale + j, c, out, r0 + i, j, epilogue);
        }
      }
    });
  }
}

}  // namespace
