// The product that everything in bf16 is made of, where the processor multiplies pairs of bf16: a block of 32 x 32 floats,
//
//   block_product(steps, a, b, c, add)   C (+)= A B, `steps` times 32 along K
//
// from packed operands. A panel is 32 lines (rows of A, columns of B), for each 32 steps of K kPanelWords pairs of bf16. How these
// lie is the order of an instruction set, and so is how a block of C lies; a header of each has all that knows it:
//
//   kSumSide, in_block     a block of C is tiles of so many rows and columns, one after the other
//   lines_to_panel          rows of memory become lines of a panel, 32 steps of each
//   steps_to_panel          rows of memory become steps of a panel, of 32 lines
//   put_line, put_steps     results that are operands of the next product: W steps of a line of A; kStepGroup steps of W lines of B
//
//   tile_order.h   tiles of 16 x 16 words: simd/tile.h multiplies them by AMX, simd/pair.h by the instruction of AVX512-BF16, each
//                  in plain C++ besides, by which all that is built on them is tested anywhere
//   quad_order.h   pairs of lines, four steps of each in a register: simd/quad.h multiplies them by AArch64's BFMMLA
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace {

using Pair = uint32_t;  // two bf16 that are neighbours in K, the first in the lower half

constexpr uint32_t kTileWords = 256;              // pairs of bf16, or floats, in a tile of 16 x 16
constexpr uint32_t kSide = 32;                    // lines of a panel; steps of K in a tile
constexpr uint32_t kPanelWords = 2 * kTileWords;  // of a panel, for each 32 steps of K
constexpr uint32_t kBlockWords = kSide * kSide;   // of a block of C

// A thread that multiplies holds a TileScope. Only AMX has something to configure.
struct NoScope {
  NoScope() {}
};

inline float float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

}  // namespace
