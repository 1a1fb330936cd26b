// Products of bf16 operands through tiles (simd/tile.h), sums in f32: a micro-kernel of 2 x 2 tiles of C, 32 x 32 floats.
//
// Tiles starve before they tire: what counts is that operands lie in L1 or come from L2 in the order of reading, and where
// C goes. So operands are panels: 32 rows of A, or 32 columns of B, for each 32 steps of K two tiles of 1 KiB side by
// side. K is walked in blocks of kBlockSteps tiles, so that such a block of a panel of B (16 KiB) stays in L1 while
// the panels of a block of rows of A pass by from L2; between blocks of K a block of C waits as 4 KiB in a piece.
// A is copied once for each block of rows and thread, B of a weight once a step (pack.cc). The epilogue runs on a block
// of C as soon as it is complete, while it is in L1. Every element of C is summed in the same order whatever the
// threads.
#pragma once
#include "gemm.h"
#include "simd/tile.h"

namespace {

static_assert(W == 16, "tiles stand beside AVX-512");

using Pair = uint32_t;  // two bf16 that are neighbours in K, the first in the lower half

constexpr uint32_t kSide = 32;                    // rows and columns of a block of C; steps of K in a tile
constexpr uint32_t kPanelWords = 2 * kTileWords;  // of a panel, for each tile along K
constexpr uint32_t kBlockWords = kSide * kSide;   // of a block of C
constexpr uint32_t kBlockSteps = 8;               // tiles along K in a block
constexpr uint32_t kMostRows = 256;               // rows of A that a thread copies at once, at most
constexpr uint32_t kMostWords = 256 * 1024;       // words of them, 1 MiB: half of L2
constexpr uint32_t kTaskPanels = 8;               // panels of B that a task goes through
constexpr uint32_t kMostSteps = kMostWords / kPanelWords;  // so that one panel of A fits
static_assert(kMostWords + kMostRows / kSide * kTaskPanels * kBlockWords <= Team::kScratchFloats, "A and C in the scratch");

inline uint32_t tiles_of(uint32_t n) { return (n + kSide - 1) / kSide; }
inline Pair pair(uint16_t low, uint16_t high) { return low | Pair(high) << 16; }
inline uint16_t half_bits(bf16 x) { return x.bits; }
inline uint16_t half_bits(float x) { return to_bf16(x).bits; }

inline void copy_halves(const bf16* from, bf16* to) { memcpy(to, from, kSide * sizeof(bf16)); }
inline void copy_halves(const float* from, bf16* to) { store(to, load(from)), store(to + W, load(from + W)); }

// Word (i, k) of the tile is the pair (2k, 2k + 1) of line i, of `lines` <= 16 lines of n <= 32 elements; others are zero.
template <class T>
inline void tile_of_rows(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, Pair* to) {
  for (uint32_t i = 0; i < 16; i++) {
    bf16 halves[kSide] = {};
    if (i < lines && n == kSide)
      copy_halves(from + i * row, halves);
    else if (i < lines)
      for (uint32_t k = 0; k < n; k++) halves[k] = {half_bits(from[i * row + k])};
    memcpy(to + i * 16, halves, sizeof halves);
  }
}

// Word (k, j) of the tile is the pair of lines 2k and 2k + 1 at element j, of `lines` <= 32 lines of n <= 16 elements.
template <class T>
inline void tile_of_steps(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, Pair* to) {
  if (lines == kSide && n == 16) {
    for (uint32_t k = 0; k < 16; k++) {
      const T *low = from + 2 * k * row, *high = low + row;
      for (uint32_t j = 0; j < 16; j++) to[k * 16 + j] = pair(half_bits(low[j]), half_bits(high[j]));
    }
    return;
  }
  for (uint32_t k = 0; k < 16; k++)
    for (uint32_t j = 0; j < 16; j++) {
      const bool low = 2 * k < lines && j < n, high = 2 * k + 1 < lines && j < n;
      to[k * 16 + j] = pair(low ? half_bits(from[2 * k * row + j]) : 0, high ? half_bits(from[(2 * k + 1) * row + j]) : 0);
    }
}

// to[j][i] = from[i][j] for the words of a tile.
inline void turn_tile(const Pair* from, Pair* to) {
  for (uint32_t i = 0; i < 16; i += kTranspose)
    for (uint32_t j = 0; j < 16; j += kTranspose)
      transpose(reinterpret_cast<const float*>(from + i * 16 + j), 16, reinterpret_cast<float*>(to + j * 16 + i), 16);
}

// One tile of B: `lines` steps of K and n columns from element (0, 0) of B on.
template <class T>
inline void tile_of_b(MatrixOf<T> B, uint32_t lines, uint32_t n, Pair* to) {
  if (B.column == 1) return tile_of_steps(B.p, B.row, lines, n, to);
  alignas(64) Pair part[kTileWords];
  tile_of_rows(B.p, B.column, n, lines, part);
  turn_tile(part, to);
}

// Panels of B[K,N]; B has its rows or its columns contiguous. One task is one tile along K of all panels.
template <class T>
inline void pack_panels(Team& team, MatrixOf<T> B, uint32_t K, uint32_t N, Pair* to) {
  const uint32_t steps = tiles_of(K);
  each(team, steps, [&](uint32_t s) {
    const uint32_t k = s * kSide, lines = K - k < kSide ? K - k : kSide;
    for (uint32_t j = 0; j < N; j += kSide)
      for (uint32_t h = 0; h < kSide; h += 16) {
        const uint32_t left = N - j, n = left <= h ? 0 : left - h < 16 ? left - h : 16;
        const MatrixOf<T> part = {B.p + k * B.row + (n ? j + h : j) * B.column, B.row, B.column};
        tile_of_b(part, lines, n, to + (size_t(j / kSide) * steps + s) * kPanelWords + h / 16 * kTileWords);
      }
  });
}

inline void pack_operand(Team& team, Matrix B, uint32_t K, uint32_t N, float* to) {
  pack_panels(team, B, K, N, reinterpret_cast<Pair*>(to));
}

// C (+)= A B for one block of C, `steps` tiles along K; c holds its four tiles one after the other.
__attribute__((noinline)) void block_product(uint32_t steps, const Pair* a, const Pair* b, float* c, bool add) {
  if (add) {
    tile_load<0>(c), tile_load<1>(c + kTileWords), tile_load<2>(c + 2 * kTileWords), tile_load<3>(c + 3 * kTileWords);
  } else {
    tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  }
  for (uint32_t s = 0; s < steps; s++) {
    tile_load<4>(a), tile_load<6>(b);
    tile_dot<0, 4, 6>();
    tile_load<7>(b + kTileWords);
    tile_dot<1, 4, 7>();
    tile_load<5>(a + kTileWords);
    tile_dot<2, 5, 6>();
    tile_dot<3, 5, 7>();
    a += kPanelWords, b += kPanelWords;
  }
  tile_store<0>(c), tile_store<1>(c + kTileWords), tile_store<2>(c + 2 * kTileWords), tile_store<3>(c + 3 * kTileWords);
}

// f(value, row, column, n) for the vectors of the upper left rows x columns of a block of C.
template <class F>
inline void each_vector(const float* c, uint32_t rows, uint32_t columns, F f) {
  for (uint32_t r = 0; r < rows && r < kSide; r++)
    for (uint32_t v = 0; v < kSide && v < columns; v += W)
      f(load(c + (r / 16 * 2 + v / 16) * kTileWords + r % 16 * 16), r, v, columns - v < W ? columns - v : W);
}

// A task's share of C: the panels of A at `a` (`held` tiles along K each, `rows` rows) times panels j0 .. j1 - 1 of B, of
// whose `all` tiles along K it takes those from `first` on. finish(i, j, c) takes complete blocks (`last`); the
// others wait in `c`, which has room for all blocks of the task unless everything is done at once.
template <class F>
inline void panel_product(uint32_t rows, uint32_t j0, uint32_t j1, const Pair* a, uint32_t held, const Pair* b, uint32_t all,
                          uint32_t first, float* c, bool last, F finish) {
  const bool whole = first == 0 && last;
  const uint32_t down = tiles_of(rows);
  for (uint32_t j = j0; j < j1; j++) {
    float* column = whole ? c : c + size_t(j - j0) * down * kBlockWords;
    for (uint32_t s = 0; s < held; s += kBlockSteps) {
      const uint32_t n = held - s < kBlockSteps ? held - s : kBlockSteps;
      for (uint32_t i = 0; i < down; i++) {
        float* block = column + size_t(i) * kBlockWords;
        block_product(n, a + (size_t(i) * held + s) * kPanelWords, b + (size_t(j) * all + first + s) * kPanelWords, block,
                      first + s > 0);
        if (last && s + n == held) finish(i, j, block);
      }
    }
  }
}

// C[M,N] = A[M,K] B[K,N], B packed, rows of A and C contiguous.
template <class Epilogue>
inline void packed_gemm(Team& team, uint32_t M, uint32_t N, uint32_t K, const bf16* A, const float* B, bf16* C,
                        const Epilogue& epilogue) {
  TileScope scope;
  const uint32_t steps = tiles_of(K), chunk = steps < kMostSteps ? steps : kMostSteps, panels = tiles_of(N);
  const uint32_t fit = kMostWords / (chunk * kPanelWords) * kSide, height = fit < kMostRows ? fit : kMostRows;
  const uint32_t across = (panels + kTaskPanels - 1) / kTaskPanels, down = (M + height - 1) / height;
  Pair* a = reinterpret_cast<Pair*>(team.scratch());
  float* c = team.scratch() + kMostWords;
  uint32_t packed = ~0u;  // which rows of A this thread holds
  each(team, across * down, [&](uint32_t t) {
    const uint32_t m0 = t / across * height, rows = M - m0 < height ? M - m0 : height;
    const uint32_t j0 = t % across * kTaskPanels, j1 = panels - j0 < kTaskPanels ? panels : j0 + kTaskPanels;
    for (uint32_t first = 0; first < steps; first += chunk) {
      const uint32_t held = steps - first < chunk ? steps - first : chunk;
      if (packed != m0 || chunk < steps)
        for (uint32_t i = 0; i < tiles_of(rows); i++)
          for (uint32_t s = 0; s < held; s++)
            for (uint32_t h = 0; h < kSide; h += 16) {
              const uint32_t r = i * kSide + h, k = (first + s) * kSide;
              tile_of_rows(A + size_t(m0 + (r < rows ? r : 0)) * K + k, K, r < rows ? rows - r : 0, K - k < kSide ? K - k : kSide,
                           a + (size_t(i) * held + s) * kPanelWords + h / 16 * kTileWords);
            }
      packed = m0;
      panel_product(rows, j0, j1, a, held, reinterpret_cast<const Pair*>(B), steps, first, c, first + held == steps,
                    [&](uint32_t i, uint32_t j, const float* block) {
                      each_vector(block, rows - i * kSide, N - j * kSide, [&](V v, uint32_t r, uint32_t column, uint32_t n) {
                        const uint32_t m = m0 + i * kSide + r, at = j * kSide + column;
                        store_n(C + size_t(m) * N + at, epilogue(v, m, at, n), n);
                      });
                    });
    }
  });
}

// C[M,N] += A^T B for A[K,M] and B[K,N], rows contiguous: the gradient of a weight. Chunks of K of B are packed once for
// all threads, of A once for each block of 128 rows of C and thread.
inline void outer_gemm(Team& team, uint32_t M, uint32_t N, uint32_t K, const bf16* A, const bf16* B, float* C) {
  constexpr uint32_t kWidest = 16384, kHeight = 128, kMostK = 1024;
  static_assert(kHeight * kMostK / 2 <= kMostWords, "a block of A in the scratch");
  TileScope scope;
  Pair *shared = reinterpret_cast<Pair*>(team.shared()), *a = reinterpret_cast<Pair*>(team.scratch());
  float* c = team.scratch() + kMostWords;
  for (uint32_t n0 = 0; n0 < N; n0 += kWidest) {
    const uint32_t nn = N - n0 < kWidest ? N - n0 : kWidest, panels = tiles_of(nn);
    const uint32_t fit = uint32_t(Team::kSharedFloats) / (panels * kPanelWords) * kSide, chunk = fit < kMostK ? fit : kMostK;
    for (uint32_t k0 = 0; k0 < K; k0 += chunk) {
      const uint32_t nk = K - k0 < chunk ? K - k0 : chunk, steps = tiles_of(nk);
      pack_panels(team, rows_of(B + size_t(k0) * N + n0, N), nk, nn, shared);
      const uint32_t across = (panels + kTaskPanels - 1) / kTaskPanels, down = (M + kHeight - 1) / kHeight;
      uint32_t packed = ~0u;
      each(team, across * down, [&](uint32_t t) {
        const uint32_t m0 = t / across * kHeight, rows = M - m0 < kHeight ? M - m0 : kHeight;
        const uint32_t j0 = t % across * kTaskPanels, j1 = panels - j0 < kTaskPanels ? panels : j0 + kTaskPanels;
        if (packed != m0)
          for (uint32_t s = 0; s < steps; s++)
            for (uint32_t r = 0; r < tiles_of(rows) * kSide; r += 16) {
              alignas(64) Pair part[kTileWords];
              const uint32_t k = s * kSide, n = r >= rows ? 0 : rows - r < 16 ? rows - r : 16;
              tile_of_steps(A + size_t(k0 + k) * M + m0 + (n ? r : 0), M, nk - k < kSide ? nk - k : kSide, n, part);
              turn_tile(part, a + (size_t(r / kSide) * steps + s) * kPanelWords + r % kSide / 16 * kTileWords);
            }
        packed = m0;
        panel_product(rows, j0, j1, a, steps, shared, steps, 0, c, true, [&](uint32_t i, uint32_t j, const float* block) {
          each_vector(block, rows - i * kSide, nn - j * kSide, [&](V v, uint32_t r, uint32_t column, uint32_t n) {
            float* p = C + size_t(m0 + i * kSide + r) * N + n0 + j * kSide + column;
            store_n(p, load_n(p, n) + v, n);
          });
        });
      });
    }
  }
}

}  // namespace
