// Matrix product in f32: C[M,N] (+)= A[M,K] B[K,N]. `gemm` is one product by all threads, `gemm_local` one product by
// the calling thread on operands that fit its cache (a head of attention, a matrix of a batch). Operands of bf16 become
// floats when they are copied, results when they are stored.
//
// After Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication": the micro-kernel keeps a tile of
// kTileRows x kTileVectors vectors of C in registers and walks K; A is broadcast element by element, B comes in vectors. `gemm`
// copies blocks of K x N of B (shared by all threads) and of M x K of A (one thread's own) into the order in which the
// micro-kernel reads them. Every element of C is summed over K in the same order whatever the threads and whatever M, so
// results do not depend on the number of threads.
#pragma once
#include "kernel.h"

namespace {

// Registers: rows x vectors accumulators, a row of B and one of A must fit.
constexpr uint32_t kTileRows = kRegisters >= 32 ? 8 : 6;
constexpr uint32_t kTileVectors = kRegisters >= 32 ? 3 : 2;
constexpr uint32_t kTileColumns = kTileVectors * W;
#if defined(BIOALBERT_PRODUCTS_BY_LANE)
constexpr uint32_t kLineVectors = 2;  // of C where rows of A lie contiguous: lanes of W steps of each take registers, too
#else
constexpr uint32_t kLineVectors = kTileVectors;
#endif
constexpr uint32_t kLine = 16;  // floats in a line of the cache

constexpr uint32_t kBlockK = 768;  // a block of A: kBlockM x kBlockK floats, 384 KiB, stays in L2
constexpr uint32_t kBlockM = kTileRows * (kTileRows == 8 ? 16 : 21);
constexpr uint32_t kBlockN = kTileColumns * (2304 / kTileColumns);  // a block of B is 6.75 MiB
constexpr uint32_t kTaskN = kTileColumns * (384 / kTileColumns);
constexpr uint32_t kPackN = kTileColumns * 4, kPackK = 128;  // what one task copies of a B whose columns are neighbours
static_assert(size_t(kBlockK) * kBlockN <= Team::kSharedFloats, "a block of B must fit the shared memory");
static_assert(size_t(kBlockK) * kBlockM <= Team::kScratchFloats / 2, "a block of A must leave half of the scratch");

// Element (i, j) is p[i * row + j * column].
template <class T>
struct MatrixOf {
  const T* p;
  ptrdiff_t row, column;
};
using Matrix = MatrixOf<float>;
template <class T>
inline MatrixOf<T> rows_of(const T* p, ptrdiff_t stride) {
  return {p, stride, 1};
}
template <class T>
inline MatrixOf<T> transposed(const T* p, ptrdiff_t stride) {
  return {p, 1, stride};
}

// What becomes of an element of C when its sum is complete: (value, row, column, lanes) -> value stored.
struct Plain {
  V operator()(V v, uint32_t, uint32_t, uint32_t) const { return v; }
};

// A row of B for NV vectors of C, of which all but the last are whole.
template <uint32_t NV, bool kWhole>
__attribute__((always_inline)) inline void load_row(const float* b, uint32_t tail, V (&to)[NV]) {
#pragma GCC unroll 3
  for (uint32_t v = 0; v < NV; v++) to[v] = kWhole || v + 1 < NV ? load(b + v * W) : load_n(b + v * W, tail);
}

// The micro-kernels stand in functions of their own, so that the compiler gives every register to the accumulators, kTileRows x NV
// vectors. Loops over these are unrolled by request: GCC may otherwise store all of them in each step of several loops over K.
//
// A: element (r, k) at a[r * a_row + k * a_column]; rows from `rows` on repeat the first. B: row k at b + k * b_row, of which
// all but the last vector are whole and the last has `tail` floats (kWholeB: all are whole). C: row r at c + r * c_row, which
// the sums begin with if kAdd.
template <uint32_t NV, bool kWholeB, bool kAdd>
__attribute__((noinline)) void strided_product(uint32_t K, const float* a, ptrdiff_t a_row, ptrdiff_t a_column, uint32_t rows,
                                               const float* b, ptrdiff_t b_row, uint32_t tail, float* c, ptrdiff_t c_row) {
  V acc[kTileRows][NV];
  const float* ar[kTileRows];
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++) {
    ar[r] = a + (r < rows ? ptrdiff_t(r) * a_row : 0);
#pragma GCC unroll 3
    for (uint32_t v = 0; v < NV; v++) acc[r][v] = kAdd ? load(c + ptrdiff_t(r) * c_row + v * W) : zero();
  }
  ptrdiff_t at = 0;  // one index for all rows: a pointer that moves for each would cost as much as the products
  uint32_t k = 0;
#if defined(BIOALBERT_PRODUCTS_BY_LANE)
  if (a_row == 1 && rows == kTileRows) {  // rows are neighbours: a step of all of them
    for (; k < K; k++, at += a_column, b += b_row) {
      V av[kTileRows / W], bv[NV];
#pragma GCC unroll 2
      for (uint32_t i = 0; i < kTileRows / W; i++) av[i] = load(a + at + i * W);
      load_row<NV, kWholeB>(b, tail, bv);
#pragma GCC unroll 8
      for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
        for (uint32_t v = 0; v < NV; v++) acc[r][v] = add_lane_product(acc[r][v], av[r / W], r % W, bv[v]);
    }
  } else if (a_column == 1 && NV <= kLineVectors) {  // steps are: W of them of each row
    for (; k + W <= K; k += W, at += W) {
      V av[kTileRows];
#pragma GCC unroll 8
      for (uint32_t r = 0; r < kTileRows; r++) av[r] = load(ar[r] + at);
#pragma GCC unroll 4
      for (uint32_t s = 0; s < W; s++, b += b_row) {
        V bv[NV];
        load_row<NV, kWholeB>(b, tail, bv);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
          for (uint32_t v = 0; v < NV; v++) acc[r][v] = add_lane_product(acc[r][v], av[r], s, bv[v]);
      }
    }
  }
#endif
  for (; k < K; k++, at += a_column, b += b_row) {
    V bv[NV];
    load_row<NV, kWholeB>(b, tail, bv);
#pragma GCC unroll 8
    for (uint32_t r = 0; r < kTileRows; r++) {
      const V av = set1(ar[r][at]);
#pragma GCC unroll 3
      for (uint32_t v = 0; v < NV; v++) acc[r][v] = add_product(acc[r][v], av, bv[v]);
    }
  }
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
    for (uint32_t v = 0; v < NV; v++) store(c + ptrdiff_t(r) * c_row + v * W, acc[r][v]);
}

// One step of K on packed operands: A kTileRows floats, B kTileColumns floats, of which the first NV vectors are multiplied.
template <uint32_t NV>
__attribute__((always_inline)) inline void packed_step(V (&acc)[kTileRows][NV], const float* a, const float* b) {
  V bv[NV];
#pragma GCC unroll 3
  for (uint32_t v = 0; v < NV; v++) bv[v] = load(b + v * W);
#if defined(BIOALBERT_PRODUCTS_BY_LANE)
  static_assert(kTileRows % W == 0, "a step of A is whole vectors");
  V av[kTileRows / W];
#pragma GCC unroll 2
  for (uint32_t i = 0; i < kTileRows / W; i++) av[i] = load(a + i * W);
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
    for (uint32_t v = 0; v < NV; v++) acc[r][v] = add_lane_product(acc[r][v], av[r / W], r % W, bv[v]);
#else
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++) {
    const V av = set1(a[r]);
#pragma GCC unroll 3
    for (uint32_t v = 0; v < NV; v++) acc[r][v] = add_product(acc[r][v], av, bv[v]);
  }
#endif
}

// The same on packed operands, the products left in `sums` row by row. kAhead steps at a time, for counting takes turns of the units that
// multiply; each time it asks for the line at `next` and moves on: a share of the panel of B that comes after this one,
// which lies in the third-level cache and would else hold up the first tile that needs it.
constexpr uint32_t kAhead = 4;
template <uint32_t NV>
__attribute__((noinline)) void packed_product(uint32_t K, const float* a, const float* b, const float* next, float* sums) {
  V acc[kTileRows][NV];
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
    for (uint32_t v = 0; v < NV; v++) acc[r][v] = zero();
  uint32_t left = K;
  for (; left >= kAhead; left -= kAhead) {
    __builtin_prefetch(next, 0, 2);
    next += kLine;
#pragma GCC unroll 4
    for (uint32_t k = 0; k < kAhead; k++) packed_step<NV>(acc, a + k * kTileRows, b + k * kTileColumns);
    a += kAhead * kTileRows;
    b += kAhead * kTileColumns;
  }
  for (; left > 0; left--, a += kTileRows, b += kTileColumns) packed_step<NV>(acc, a, b);
#pragma GCC unroll 8
  for (uint32_t r = 0; r < kTileRows; r++)
#pragma GCC unroll 3
    for (uint32_t v = 0; v < NV; v++) store(sums + (r * NV + v) * W, acc[r][v]);
}

// Asks for a tile of C, so that it has come when its sums are done.
template <class T>
inline void prefetch_tile(const T* c, ptrdiff_t c_row, uint32_t rows, uint32_t columns) {
  for (uint32_t r = 0; r < rows; r++)
    for (uint32_t i = 0; i < columns; i += kLine * sizeof(float) / sizeof(T)) __builtin_prefetch(c + ptrdiff_t(r) * c_row + i, 1);
}

// Takes `rows` x `columns` of the sums of a tile to c, which is read if `add`; `last` applies the epilogue.
template <uint32_t NV, class T, class Epilogue>
inline void finish_tile(const float* sums, uint32_t rows, uint32_t columns, T* c, ptrdiff_t c_row, bool add, bool last,
                        uint32_t row0, uint32_t column0, const Epilogue& epilogue) {
  for (uint32_t r = 0; r < rows; r++)
    for (uint32_t v = 0; v < NV && v * W < columns; v++) {
      const uint32_t n = columns - v * W < W ? columns - v * W : W;
      T* p = c + ptrdiff_t(r) * c_row + v * W;
      V x = load(sums + (r * NV + v) * W);
      if (add) x = x + load_n(p, n);
      if (last) x = epilogue(x, row0 + r, column0 + v * W, n);
      store_n(p, x, n);
    }
}

// to[j * to_row + i] = from[i * from_row + j] for i < lines, j < n: the copy of an operand that runs the other way.
inline void copy_transposed(const float* from, ptrdiff_t from_row, uint32_t lines, uint32_t n, float* to, ptrdiff_t to_row) {
  // `across` steps of all lines at a time: a line of the cache that was read is used as a whole, and a panel is written in order
  constexpr uint32_t across = 2 * kTranspose;
  constexpr uint32_t rest = kTileRows % kTranspose;  // what a panel of A has besides
  const uint32_t whole = lines / kTranspose * kTranspose;
  const auto lines_from = [&](uint32_t i, uint32_t count, uint32_t j0, uint32_t j1, auto turn) {
    uint32_t j = j0;
    for (; j + kTranspose <= j1; j += kTranspose) turn(from + i * from_row + j, to + j * to_row + i);
    for (; j < j1; j++)
      for (uint32_t k = 0; k < count; k++) to[j * to_row + i + k] = from[(i + k) * from_row + j];
  };
  for (uint32_t j0 = 0; j0 < n; j0 += across) {
    const uint32_t j1 = n - j0 < across ? n : j0 + across;
    uint32_t i = 0;
    for (; i < whole; i += kTranspose)
      lines_from(i, kTranspose, j0, j1, [&](const float* p, float* q) { transpose(p, from_row, q, to_row); });
    if (rest > 0 && lines - whole == rest) {
      lines_from(i, rest, j0, j1, [&](const float* p, float* q) { transpose<rest ? rest : kTranspose>(p, from_row, q, to_row); });
      i = lines;
    }
    for (; i < lines; i++)
      for (uint32_t j = j0; j < j1; j++) to[j * to_row + i] = from[i * from_row + j];
  }
}

inline void copy_transposed(const bf16* from, ptrdiff_t from_row, uint32_t lines, uint32_t n, float* to, ptrdiff_t to_row) {
  constexpr uint32_t kSteps = 32, kLines = 16;
  alignas(64) float part[kLines * kSteps];
  for (uint32_t i = 0; i < lines; i += kLines)
    for (uint32_t j = 0; j < n; j += kSteps) {
      const uint32_t down = lines - i < kLines ? lines - i : kLines, across = n - j < kSteps ? n - j : kSteps;
      for (uint32_t r = 0; r < down; r++)
        vectors(across, [&](uint32_t k, uint32_t m) { store_n(part + r * kSteps + k, load_n(from + (i + r) * from_row + j + k, m), m); });
      copy_transposed(part, kSteps, down, across, to + j * to_row + i, to_row);
    }
}

inline void copy_line(const float* from, uint32_t n, float* to) { memcpy(to, from, n * sizeof(float)); }
inline void copy_line(const bf16* from, uint32_t n, float* to) {
  vectors(n, [&](uint32_t i, uint32_t m) { store_n(to + i, load_n(from + i, m), m); });
}

// Copies `lines` x `n` elements, line i from from.p + i * line, so that `width` lines stand side by side for each of the
// n steps; lines that are missing are zero. `line` and `step` are the strides of a line and of a step.
template <class T>
inline void pack_panel(const T* from, ptrdiff_t line, ptrdiff_t step, uint32_t lines, uint32_t n, uint32_t width, float* to) {
  if (lines < width)
    for (uint32_t k = 0; k < n; k++)
      for (uint32_t i = lines; i < width; i++) to[k * width + i] = 0;
  if (step == 1)
    copy_transposed(from, line, lines, n, to, width);
  else if (line == 1)
    for (uint32_t k = 0; k < n; k++) copy_line(from + k * step, lines, to + k * width);
  else
    for (uint32_t k = 0; k < n; k++)
      for (uint32_t i = 0; i < lines; i++) to[k * width + i] = to_float(from[i * line + k * step]);
}

// The same for any number of lines, in panels of `width`, the first at `to` and each `panel` floats behind the one before.
// Where lines are neighbours in memory, a step is read for all panels at once: its lines are far from those of the next step,
// often in the same set of the cache, and would be gone before the next panel.
template <uint32_t width, class T>
inline void pack_lines(const T* from, ptrdiff_t line, ptrdiff_t step, uint32_t lines, uint32_t n, float* to, size_t panel) {
  constexpr uint32_t kSteps = 4;  // side by side, so that a line of a panel is written as a whole
  const uint32_t whole = line == 1 ? lines / width : 0;
  for (uint32_t k = 0; whole > 0 && k < n; k += kSteps) {
    const uint32_t steps = n - k < kSteps ? n - k : kSteps;
    for (uint32_t i = 0; i < whole; i++)
      for (uint32_t s = 0; s < steps; s++)
        copy_line(from + ptrdiff_t(k + s) * step + i * width, width, to + i * panel + size_t(k + s) * width);
  }
  for (uint32_t i = whole; i * width < lines; i++)
    pack_panel(from + ptrdiff_t(i * width) * line, line, step, lines - i * width < width ? lines - i * width : width, n, width,
               to + i * panel);
}

// Copies rows m0 .. m0 + nm - 1 of A, steps k0 .. k0 + nk - 1, into panels of kTileRows rows.
template <class T>
inline void pack_block(MatrixOf<T> A, uint32_t m0, uint32_t nm, uint32_t k0, uint32_t nk, float* to) {
  pack_lines<kTileRows>(A.p + ptrdiff_t(m0) * A.row + ptrdiff_t(k0) * A.column, A.row, A.column, nm, nk, to, size_t(nk) * kTileRows);
}

// The tiles of NV vectors of C that a packed block of A and a panel of B give.
template <uint32_t NV, class T, class Epilogue>
inline void panel_tiles(uint32_t M, uint32_t columns, uint32_t K, const float* a, const float* b, T* c, ptrdiff_t c_row,
                        bool add, bool last, uint32_t row0, uint32_t column0, const Epilogue& epilogue) {
  const float* next = b + size_t(K) * kTileColumns;
  for (uint32_t i = 0; i < M; i += kTileRows) {
    alignas(64) float sums[kTileRows * NV * W];
    const uint32_t rows = M - i < kTileRows ? M - i : kTileRows;
    T* tile = c + ptrdiff_t(i) * c_row;
    prefetch_tile(tile, c_row, rows, columns);
    packed_product<NV>(K, a + size_t(i) * K, b, next, sums);
    next += K / kAhead * kLine;
    finish_tile<NV>(sums, rows, columns, tile, c_row, add, last, row0 + i, column0, epilogue);
  }
}

// The columns of C that one panel of B gives, at most kTileColumns; of a panel at the edge only the vectors that count.
template <class T, class Epilogue>
inline void panel_product(uint32_t M, uint32_t left, uint32_t K, const float* a, const float* b, T* c, ptrdiff_t c_row,
                          bool add, bool last, uint32_t row0, uint32_t column0, const Epilogue& epilogue) {
  const uint32_t columns = left < kTileColumns ? left : kTileColumns;
  if (kTileVectors == 3 && columns > 2 * W)
    panel_tiles<kTileVectors>(M, columns, K, a, b, c, c_row, add, last, row0, column0, epilogue);
  else if (columns > W)
    panel_tiles<2>(M, columns, K, a, b, c, c_row, add, last, row0, column0, epilogue);
  else
    panel_tiles<1>(M, columns, K, a, b, c, c_row, add, last, row0, column0, epilogue);
}

template <class TA, class TB, class Epilogue = Plain>
inline void gemm(Team& team, uint32_t M, uint32_t N, uint32_t K, MatrixOf<TA> A, MatrixOf<TB> B, float* C, ptrdiff_t c_row,
                 bool accumulate, const Epilogue& epilogue = Epilogue()) {
  if (M == 0 || N == 0 || (K == 0 && accumulate)) return;
  float* shared = team.shared();
  uint32_t k0 = 0;
  do {
    const uint32_t nk = K - k0 < kBlockK ? K - k0 : kBlockK;
    const bool add = accumulate || k0 > 0, last = k0 + nk == K;
    for (uint32_t n0 = 0; n0 < N; n0 += kBlockN) {
      const uint32_t nn = N - n0 < kBlockN ? N - n0 : kBlockN;
      const uint32_t wide = B.column == 1 ? kPackN : kTileColumns, deep = B.column == 1 ? kPackK : nk;
      const uint32_t pieces = (nk + deep - 1) / deep;
      each(team, (nn + wide - 1) / wide * pieces, [&](uint32_t t) {
        const uint32_t j = t / pieces * wide, lines = nn - j < wide ? nn - j : wide;
        const uint32_t k = t % pieces * deep, n = nk - k < deep ? nk - k : deep;
        pack_lines<kTileColumns>(B.p + ptrdiff_t(k0 + k) * B.row + ptrdiff_t(n0 + j) * B.column, B.column, B.row, lines, n,
                                 shared + size_t(j) * nk + size_t(k) * kTileColumns, size_t(nk) * kTileColumns);
      });
      const uint32_t across = (nn + kTaskN - 1) / kTaskN, down = (M + kBlockM - 1) / kBlockM;
      uint32_t packed = ~0u;  // which block of A this thread holds
      float* block = team.scratch();
      each(team, across * down, [&](uint32_t t) {
        const uint32_t m0 = t / across * kBlockM, nm = M - m0 < kBlockM ? M - m0 : kBlockM;
        const uint32_t j0 = t % across * kTaskN, j1 = nn - j0 < kTaskN ? nn : j0 + kTaskN;
        if (packed != m0) pack_block(A, m0, nm, k0, nk, block);
        packed = m0;
        for (uint32_t j = j0; j < j1; j += kTileColumns)
          panel_product(nm, j1 - j, nk, block, shared + size_t(j) * nk, C + m0 * c_row + n0 + j, c_row, add, last, m0, n0 + j,
                        epilogue);
      });
    }
    k0 += nk;
  } while (k0 < K);
}

// Where the sums themselves can lie: in C, if it is f32 and nothing becomes of them.
inline float* place_of_sums(float* c, const Plain&) { return c; }
template <class T, class Epilogue>
inline float* place_of_sums(T*, const Epilogue&) {
  return nullptr;
}

template <uint32_t NV, class T, class Epilogue>
inline void local_columns(uint32_t M, uint32_t columns, uint32_t K, Matrix A, const float* b, ptrdiff_t b_row, T* c,
                          ptrdiff_t c_row, bool accumulate, uint32_t column0, const Epilogue& epilogue) {
  constexpr ptrdiff_t sums_row = NV * W;
  const uint32_t tail = columns - (NV - 1) * W;
  for (uint32_t i = 0; i < M; i += kTileRows) {
    const uint32_t rows = M - i < kTileRows ? M - i : kTileRows;
    const float* a = A.p + i * A.row;
    float* tile = place_of_sums(c + i * c_row, epilogue);
    if (tile && rows == kTileRows && tail == W) {
      if (accumulate)
        strided_product<NV, true, true>(K, a, A.row, A.column, rows, b, b_row, tail, tile, c_row);
      else
        strided_product<NV, true, false>(K, a, A.row, A.column, rows, b, b_row, tail, tile, c_row);
      continue;
    }
    alignas(64) float sums[kTileRows * NV * W];
    if (tail == W)
      strided_product<NV, true, false>(K, a, A.row, A.column, rows, b, b_row, tail, sums, sums_row);
    else
      strided_product<NV, false, false>(K, a, A.row, A.column, rows, b, b_row, tail, sums, sums_row);
    finish_tile<NV>(sums, rows, columns, c + i * c_row, c_row, accumulate, true, i, column0, epilogue);
  }
}

// C[M,N] (+)= A[M,K] B[K,N] on the calling thread alone, nothing copied: A in any strides, B in rows of stride `b_row`.
template <class T, class Epilogue = Plain>
inline void gemm_local(uint32_t M, uint32_t N, uint32_t K, Matrix A, const float* B, ptrdiff_t b_row, T* C, ptrdiff_t c_row,
                       bool accumulate, const Epilogue& epilogue = Epilogue()) {
  const uint32_t widest = A.column == 1 ? kLineVectors : kTileVectors;
  uint32_t j = 0;
  while (j < N) {
    const uint32_t left = (N - j + W - 1) / W;  // vectors still to do; 4 are done as 2 + 2
    const uint32_t nv = left == 1 ? 1 : widest == 2 || left == 4 || left == 2 ? 2 : 3;
    const uint32_t columns = N - j < nv * W ? N - j : nv * W;
    if (nv == 3)
      local_columns<3>(M, columns, K, A, B + j, b_row, C + j, c_row, accumulate, j, epilogue);
    else if (nv == 2)
      local_columns<2>(M, columns, K, A, B + j, b_row, C + j, c_row, accumulate, j, epilogue);
    else
      local_columns<1>(M, columns, K, A, B + j, b_row, C + j, c_row, accumulate, j, epilogue);
    j += columns;
  }
}

}  // namespace
