// The product that everything in bf16 is made of, where the processor multiplies pairs of bf16: a block of 32 x 32 floats,
//
//   block_product(steps, a, b, c, add)   C (+)= A B, `steps` tiles of 32 along K
//
// from operands in tiles of 16 rows of 64 bytes. A tile of A is 16 lines of 32 bf16 as they stand in memory, one of B is 16
// pairs of steps of 16 columns; a panel of either has two tiles side by side for each 32 steps of K (tile_pack.h makes them).
// C is four tiles of 16 x 16 floats, one after the other. simd/tile.h computes it by AMX, simd/pair.h by the instruction of
// AVX512-BF16; each has a form in plain C++ besides, by which all that is built on them is tested anywhere.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace {

using Pair = uint32_t;  // two bf16 that are neighbours in K, the first in the lower half

constexpr uint32_t kTileWords = 256;              // pairs of bf16, or floats, in a tile
constexpr uint32_t kSide = 32;                    // lines of a panel; steps of K in a tile
constexpr uint32_t kPanelWords = 2 * kTileWords;  // of a panel, for each tile along K
constexpr uint32_t kBlockWords = kSide * kSide;   // of a block of C

inline float float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

}  // namespace
