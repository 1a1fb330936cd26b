// Products of bf16 operands where instructions multiply bf16, sums in f32: a micro-kernel of 32 x 32 floats of C (simd/block.h).
//
// Tiles starve before they tire: what counts is that operands lie in L1 or come from L2 in the order of reading, and where
// C goes. So operands are panels (tile_pack.h), and K is walked in blocks of kBlockSteps tiles, so that such a block of a panel
// of B (16 KiB) stays in L1 while the panels of a block of rows of A pass by from L2; between blocks of K a block of C waits
// as 4 KiB in a piece. A is copied once for each block of rows and thread, B of a weight once a step (pack.cc). The
// epilogue runs on a block of C as soon as it is complete, while it is in L1. Every element of C is summed in the same order
// whatever the threads.
#pragma once
#include "gemm.h"
#include "tile_pack.h"

namespace {

constexpr uint32_t kBlockSteps = 8;              // tiles along K in a block
constexpr uint32_t kMostRows = 256;              // rows of A that a thread copies at once, at most
constexpr uint32_t kMostWords = 256 * 1024;      // words of them, 1 MiB: half of L2
constexpr uint32_t kTaskPanels = 8;              // panels of B that a task goes through
constexpr uint32_t kMostSteps = kMostWords / kPanelWords;  // so that one panel of A fits
static_assert(kMostWords + kMostRows / kSide * kTaskPanels * kBlockWords <= Team::kScratchFloats, "A and C in the scratch");

// Panels of B[K,N]; B has its rows or its columns contiguous. One task is one tile along K of all panels.
template <class T>
inline void pack_panels(Team& team, MatrixOf<T> B, uint32_t K, uint32_t N, Pair* to) {
  const uint32_t steps = tiles_of(K);
  each(team, steps, [&](uint32_t s) {
    const uint32_t k = s * kSide, n = K - k < kSide ? K - k : kSide;
    Pair* panel = to + size_t(s) * kPanelWords;
    if (B.column == 1)
      pack_steps<false>(B.p + k * B.row, B.row, n, N, steps, panel);
    else
      pack_lines<true>(B.p + k, B.column, N, n, steps, panel);
  });
}

inline void pack_operand(Team& team, Matrix B, uint32_t K, uint32_t N, float* to) {
  pack_panels(team, B, K, N, reinterpret_cast<Pair*>(to));
}

// The vector from `column` on, a multiple of W, of row r of blocks of C that lie side by side.
template <class Float>
inline Float* vector_of(Float* c, uint32_t r, uint32_t column) {
  return c + column / kSide * kBlockWords + in_block(r, column % kSide);
}

// f(value, row, column, n) for the vectors of the upper left rows x columns of a block of C.
template <class F>
inline void each_vector(const float* c, uint32_t rows, uint32_t columns, F f) {
  const uint32_t down = rows < kSide ? rows : kSide;
  if (columns >= kSide) {  // n is known, so nothing is masked
    for (uint32_t r = 0; r < down; r++)
      for (uint32_t v = 0; v < kSide; v += W) f(load(vector_of(c, r, v)), r, v, W);
    return;
  }
  for (uint32_t r = 0; r < down; r++)
    for (uint32_t v = 0; v < columns; v += W) f(load(vector_of(c, r, v)), r, v, columns - v < W ? columns - v : W);
}

// Asks for the rows x columns of a matrix into which a block of C goes, before the products that make it.
template <class T>
inline void ask_for_block(const T* c, ptrdiff_t row, uint32_t rows, uint32_t columns) {
  prefetch_tile(c, row, rows < kSide ? rows : kSide, columns < kSide ? columns : kSide);
}

// A task's share of C: the panels of A at `a` (`held` tiles along K each, `rows` rows) times panels j0 .. j1 - 1 of B, of
// whose `all` tiles along K it takes those from `first` on. finish(i, j, c) takes complete blocks (`last`); the
// others wait in `c`, which has room for all blocks of the task unless everything is done at once. ask(i, j) comes before the
// products of a block that will be complete.
template <class F, class Ask>
inline void panel_product(uint32_t rows, uint32_t j0, uint32_t j1, const Pair* a, uint32_t held, const Pair* b, uint32_t all,
                          uint32_t first, float* c, bool last, F finish, Ask ask) {
  const bool whole = first == 0 && last;
  const uint32_t down = tiles_of(rows);
  constexpr uint32_t lines = kBlockSteps * kPanelWords / kLine;
  for (uint32_t j = j0; j < j1; j++) {
    float* column = whole ? c : c + size_t(j - j0) * down * kBlockWords;
    for (uint32_t s = 0; s < held; s += kBlockSteps) {
      const uint32_t n = held - s < kBlockSteps ? held - s : kBlockSteps;
      for (uint32_t i = 0; i < down; i++) {
        float* block = column + size_t(i) * kBlockWords;
        const bool complete = last && s + n == held;
        if (complete) ask(i, j);
        // a share of the block of B that comes next, which lies in the third-level cache
        const Pair* next = b + (size_t(j) * all + first + s + n) * kPanelWords;
        for (uint32_t l = i * lines / down; l < (i + 1) * lines / down; l++) __builtin_prefetch(next + l * kLine, 0, 2);
        block_product(n, a + (size_t(i) * held + s) * kPanelWords, b + (size_t(j) * all + first + s) * kPanelWords, block,
                      first + s > 0);
        if (complete) finish(i, j, block);
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
      const uint32_t k = first * kSide, n = K - k < held * kSide ? K - k : held * kSide;
      if (packed != m0 || chunk < steps) pack_lines<false>(A + size_t(m0) * K + k, K, rows, n, held, a);
      packed = m0;
      panel_product(rows, j0, j1, a, held, reinterpret_cast<const Pair*>(B), steps, first, c, first + held == steps,
                    [&](uint32_t i, uint32_t j, const float* block) {
                      each_vector(block, rows - i * kSide, N - j * kSide, [&](V v, uint32_t r, uint32_t column, uint32_t n) {
                        const uint32_t m = m0 + i * kSide + r, at = j * kSide + column;
                        store_n(C + size_t(m) * N + at, epilogue(v, m, at, n), n);
                      });
                    },
                    [&](uint32_t i, uint32_t j) {
                      ask_for_block(C + size_t(m0 + i * kSide) * N + j * kSide, N, rows - i * kSide, N - j * kSide);
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
      // where there are enough blocks of rows for everyone, a task goes through more panels, so that few copy the same rows
      const uint32_t down = (M + kHeight - 1) / kHeight, wide = down < 16 ? kTaskPanels : 4 * kTaskPanels;
      const uint32_t across = (panels + wide - 1) / wide;
      uint32_t packed = ~0u;
      each(team, across * down, [&](uint32_t t) {
        const uint32_t m0 = t / across * kHeight, rows = M - m0 < kHeight ? M - m0 : kHeight;
        const uint32_t j0 = t % across * wide, j1 = panels - j0 < wide ? panels : j0 + wide;
        if (packed != m0) pack_steps<true>(A + size_t(k0) * M + m0, M, nk, rows, steps, a);
        packed = m0;
        panel_product(rows, j0, j1, a, steps, shared, steps, 0, c, true, [&](uint32_t i, uint32_t j, const float* block) {
          each_vector(block, rows - i * kSide, nn - j * kSide, [&](V v, uint32_t r, uint32_t column, uint32_t n) {
            float* p = C + size_t(m0 + i * kSide + r) * N + n0 + j * kSide + column;
            store_n(p, load_n(p, n) + v, n);
          });
        }, [&](uint32_t i, uint32_t j) {
          ask_for_block(C + size_t(m0 + i * kSide) * N + n0 + j * kSide, N, rows - i * kSide, nn - j * kSide);
        });
      });
    }
  }
}

}  // namespace
