// Operands of bf16 products (simd/block.h). An operand is a row of panels: 32 rows of A, or 32 columns of B, for each 32 steps of K
// kPanelWords words, what is missing filled with zeros. There are two ways to copy a matrix of contiguous rows, each turned or not,
// which is a matter of instruction sets whose A lies otherwise than B:
//
//   pack_lines   its rows are the lines of panels, its elements the steps of K: A = M (not turned), B = M^T (turned)
//   pack_steps   its rows are the steps of K, its elements the lines of panels: B = M (not turned), A = M^T (turned)
#pragma once
#include "kernel.h"
#if defined(BIOALBERT_ISA_AVX512_BF16) || defined(BIOALBERT_ISA_AVX512_BF16_EMULATED)
#include "simd/pair.h"
#elif defined(BIOALBERT_QUADS)
#include "simd/quad_order.h"
#else
#include "simd/tile.h"
#include "simd/tile_order.h"
#endif

namespace {

constexpr uint32_t tiles_of(uint32_t n) { return (n + kSide - 1) / kSide; }
constexpr uint32_t at_most_side(uint32_t n) { return n < kSide ? n : kSide; }

// Where column j of a row of a block of C stands, from the row's first element on; j is a multiple of W.
constexpr uint32_t in_row(uint32_t j) { return j / kSumSide * kSumSide * kSumSide + j % kSumSide / W * W; }
constexpr uint32_t in_block(uint32_t row, uint32_t j) {
  return row / kSumSide * kSide * kSumSide + row % kSumSide * kSumSide + in_row(j);
}

// Panels of `lines` rows of n elements; a panel is `steps` tiles long, of which those of the n elements are written.
template <bool kTurned, class T>
__attribute__((noinline)) void pack_lines(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, uint32_t steps, Pair* to) {
  for (uint32_t i = 0; i < lines; i += kSide, to += size_t(steps) * kPanelWords)
    for (uint32_t k = 0; k < n; k += kSide)
      lines_to_panel<kTurned>(from + i * row + k, row, at_most_side(lines - i), at_most_side(n - k), to + k / kSide * kPanelWords);
}

// Panels of n elements of each of `lines` rows; a panel is `steps` tiles long, of which those of the rows are written.
template <bool kTurned, class T>
__attribute__((noinline)) void pack_steps(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, uint32_t steps, Pair* to) {
  for (uint32_t k = 0; k < lines; k += kSide, to += kPanelWords)
    for (uint32_t j = 0; j < n; j += kSide)
      steps_to_panel<kTurned>(from + k * row + j, row, at_most_side(lines - k), at_most_side(n - j),
                              to + size_t(j / kSide) * steps * kPanelWords);
}

}  // namespace
