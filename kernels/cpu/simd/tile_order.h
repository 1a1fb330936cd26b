// The order of operands in tiles (block.h): 32 lines and 32 steps of K are two tiles of 16 x 16 words, 1 KiB each, side by side, what
// is missing filled with zeros.
//
// A tile of A holds 16 rows of 32 elements as they stand in memory. A tile of B holds pairs of neighbours in K; so does a
// tile of A whose elements run the other way, once it is turned. Hence each of the two ways to copy turns tiles or not. A block of C
// is four tiles of 16 x 16 floats.
#pragma once
#include "../kernel.h"
#include "block.h"

namespace {

static_assert(W == 16, "tiles stand beside AVX-512");

constexpr uint32_t kSumSide = 16;  // of a tile of C
constexpr uint32_t kStepGroup = 2;  // steps of K side by side in B

// The first n of 16 elements as bf16, zeros behind them; of bf16 itself see simd/avx512.h.
inline __m256i halves(const float* p, uint32_t n) { return narrow(load_n(p, n).v); }

inline void store_halves(Pair* to, __m256i x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x); }
inline void store_pairs(Pair* to, __m256i low, __m256i high) {
  _mm512_storeu_si512(to, _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16)));
}

// Word (i, k) of the tile is the pair (2k, 2k + 1) of line i, of `lines` <= 16 lines of n <= 32 elements.
template <class T>
inline void tile_of_lines(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, Pair* to) {
  for (uint32_t i = 0; i < 16; i++, to += 16) {
    const bool there = i < lines;
    store_halves(to, there ? halves(from + i * row, n) : _mm256_setzero_si256());
    store_halves(to + 8, there && n > 16 ? halves(from + i * row + 16, n - 16) : _mm256_setzero_si256());
  }
}

// Word (k, j) of the tile is the pair of lines 2k and 2k + 1 at element j, of `lines` <= 32 lines of n <= 16 elements.
template <class T>
inline void tile_of_steps(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, Pair* to) {
  const auto line = [&](uint32_t k) { return k < lines ? halves(from + k * row, n) : _mm256_setzero_si256(); };
  for (uint32_t k = 0; k < kSide; k += 2, to += 16) store_pairs(to, line(k), line(k + 1));
}

// Both tiles of 32 lines of 32 elements at once: every line of the cache is read as a whole, for where rows lie a multiple of
// the page apart the next row may take its place.
inline void two_tiles_of_steps(const bf16* from, ptrdiff_t row, Pair* to, Pair* second) {
  // words of the pairs of two rows, of the lower and of the upper 16 elements
  const __m512i order = _mm512_cvtepu8_epi16(_mm256_set_epi8(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8,  //
                                                             39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0));
  const __m512i upper = _mm512_add_epi16(order, _mm512_set1_epi16(16));
  for (uint32_t k = 0; k < kSide; k += 2, to += 16, second += 16) {
    const __m512i even = _mm512_loadu_si512(from + k * row), odd = _mm512_loadu_si512(from + (k + 1) * row);
    _mm512_store_si512(to, _mm512_permutex2var_epi16(even, order, odd));
    _mm512_store_si512(second, _mm512_permutex2var_epi16(even, upper, odd));
  }
}

// to[j][i] = from[i][j] for the words of a tile.
inline void turn_tile(const Pair* from, Pair* to) {
  for (uint32_t i = 0; i < 16; i += kTranspose)
    for (uint32_t j = 0; j < 16; j += kTranspose)
      transpose(reinterpret_cast<const float*>(from + i * 16 + j), 16, reinterpret_cast<float*>(to + j * 16 + i), 16);
}

// make(to) writes a tile, which is turned on its way if asked.
template <bool kTurned, class F>
inline void put_tile(Pair* to, F make) {
  if (!kTurned) return make(to);
  alignas(64) Pair part[kTileWords];
  make(part);
  turn_tile(part, to);
}

// 32 steps of `lines` <= 32 lines, which are rows of n elements.
template <bool kTurned, class T>
inline void lines_to_panel(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, Pair* to) {
  for (uint32_t h = 0; h < 2; h++) {
    const uint32_t left = 16 * h < lines ? lines - 16 * h : 0;
    put_tile<kTurned>(to + h * kTileWords, [&](Pair* tile) { tile_of_lines(from + (left ? 16 * h : 0) * row, row, left, n, tile); });
  }
}

// The same for 32 rows of bf16 of which 32 elements are there; says whether it was done. In f32, once a step for each weight, the way
// of every shape.
template <bool kTurned>
inline bool whole_steps_to_panel(const float*, ptrdiff_t, Pair*) {
  return false;
}
template <bool kTurned>
inline bool whole_steps_to_panel(const bf16* from, ptrdiff_t row, Pair* to) {
  alignas(64) Pair part[kPanelWords];
  two_tiles_of_steps(from, row, part, part + kTileWords);
  if (kTurned) {
    turn_tile(part, to), turn_tile(part + kTileWords, to + kTileWords);
  } else {
    memcpy(to, part, sizeof part);
  }
  return true;
}

// n <= 32 lines of `steps` <= 32 steps, which are rows.
template <bool kTurned, class T>
inline void steps_to_panel(const T* from, ptrdiff_t row, uint32_t steps, uint32_t n, Pair* to) {
  if (steps == kSide && n == kSide && whole_steps_to_panel<kTurned>(from, row, to)) return;
  for (uint32_t j = 0; j < kSide; j += 16, to += kTileWords) {
    if (j >= n) {
      memset(to, 0, kTileWords * sizeof(Pair));
      continue;
    }
    put_tile<kTurned>(to, [&](Pair* tile) { tile_of_steps(from + j, row, steps, n - j < 16 ? n - j : 16, tile); });
  }
}

// Steps k .. k + W - 1 of a line of A.
inline void put_line(Pair* panel, uint32_t line, uint32_t k, V a) {
  store_halves(panel + line / 16 * kTileWords + line % 16 * 16 + k / 2, narrow(a.v));
}

// Steps k .. k + kStepGroup - 1 of lines from `line` on of B, each in a vector.
inline void put_steps(Pair* panel, uint32_t k, uint32_t line, const V (&a)[kStepGroup]) {
  store_pairs(panel + line / 16 * kTileWords + k / 2 * 16, narrow(a[0].v), narrow(a[1].v));
}

}  // namespace
