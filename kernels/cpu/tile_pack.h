// Operands of bf16 products in the order of tiles (simd/block.h). An operand is a row of panels: 32 rows of A, or 32 columns
// of B, for each 32 steps of K two tiles of 1 KiB side by side, what is missing filled with zeros.
//
// A tile of A holds 16 rows of 32 elements as they stand in memory. A tile of B holds pairs of neighbours in K; so does a
// tile of A whose elements run the other way, once it is turned. Hence two ways to copy a matrix of contiguous rows, each
// turned or not:
//
//   pack_lines   its rows are the lines of panels, its elements the steps of K: A = M (not turned), B = M^T (turned)
//   pack_steps   its rows are the steps of K, its elements the lines of panels: B = M (not turned), A = M^T (turned)
#pragma once
#include "kernel.h"
#if defined(BIOALBERT_ISA_AVX512_BF16) || defined(BIOALBERT_ISA_AVX512_BF16_EMULATED)
#include "simd/pair.h"
#else
#include "simd/tile.h"
#endif

namespace {

static_assert(W == 16, "tiles stand beside AVX-512");

constexpr uint32_t tiles_of(uint32_t n) { return (n + kSide - 1) / kSide; }

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

// Panels of `lines` rows of n elements; a panel is `steps` tiles long, of which those of the n elements are written.
template <bool kTurned, class T>
__attribute__((noinline)) void pack_lines(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, uint32_t steps, Pair* to) {
  for (uint32_t i = 0; i < lines; i += kSide, to += size_t(steps) * kPanelWords)
    for (uint32_t s = 0; s < tiles_of(n); s++)
      for (uint32_t h = 0; h < 2; h++) {
        const uint32_t k = s * kSide, r = i + 16 * h, left = r < lines ? lines - r : 0;
        put_tile<kTurned>(to + s * kPanelWords + h * kTileWords, [&](Pair* tile) {
          tile_of_lines(from + (left ? r : i) * row + k, row, left, n - k < kSide ? n - k : kSide, tile);
        });
      }
}

// The first `whole` panels of pack_steps for kSide rows, of which all elements are there.
template <bool kTurned, class T>
inline uint32_t pack_whole_steps(const T*, ptrdiff_t, uint32_t, uint32_t, Pair*) {
  return 0;  // in f32, once a step for each weight, the way of every shape
}
template <bool kTurned>
inline uint32_t pack_whole_steps(const bf16* from, ptrdiff_t row, uint32_t whole, uint32_t steps, Pair* to) {
  for (uint32_t j = 0; j < whole; j++, from += kSide, to += size_t(steps) * kPanelWords) {
    alignas(64) Pair part[kPanelWords];
    two_tiles_of_steps(from, row, part, part + kTileWords);
    if (kTurned) {
      turn_tile(part, to), turn_tile(part + kTileWords, to + kTileWords);
    } else {
      memcpy(to, part, sizeof part);
    }
  }
  return whole;
}

// Panels of n elements of each of `lines` rows; a panel is `steps` tiles long, of which those of the rows are written.
template <bool kTurned, class T>
__attribute__((noinline)) void pack_steps(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, uint32_t steps, Pair* to) {
  for (uint32_t k = 0; k < lines; k += kSide, to += kPanelWords) {
    const uint32_t there = lines - k < kSide ? lines - k : kSide;
    const uint32_t done = pack_whole_steps<kTurned>(from + k * row, row, there == kSide ? n / kSide : 0, steps, to);
    for (uint32_t j = done * kSide; j < n; j += 16) {
      const uint32_t left = n - j < 16 ? n - j : 16;
      Pair* panel = to + size_t(j / kSide) * steps * kPanelWords;
      put_tile<kTurned>(panel + j % kSide / 16 * kTileWords,
                        [&](Pair* tile) { tile_of_steps(from + k * row + j, row, there, left, tile); });
      if (n - j <= 16 && j % kSide == 0) memset(panel + kTileWords, 0, kTileWords * sizeof(Pair));
    }
  }
}

}  // namespace
