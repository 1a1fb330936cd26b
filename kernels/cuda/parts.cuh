// f32 as a sum of parts of bf16, each the rest of the one before, for products of f32 on tensor cores: each part has 8 bits, so
// what two leave of v is at most 2^-18 |v|, and three leave at most 2^-27 |v|.
// Products (product_mma.cuh): all six of three parts down to 2^-18 of the largest are as exact as those of f32; the three of two
// parts are off by at most 3 x 2^-18 each.
// A row of n values becomes n8 of each part, n8 being n up to a multiple of 8; what is added is zero, as are rows past the given
// ones up to a multiple of 8: so every copy is one of 16 bytes.
#pragma once
#include "epilogue.cuh"

namespace {

inline uint32_t to_eights(uint32_t n) { return (n + 7) / 8 * 8; }

// Stores kN values in kParts parts, `part` elements apart.
template <uint32_t kParts, uint32_t kN>
__device__ __forceinline__ void store_parts(bf16* to, uint32_t part, const float (&v)[kN]) {
  float rest[kN];
#pragma unroll
  for (uint32_t i = 0; i < kN; i++) rest[i] = v[i];
#pragma unroll
  for (uint32_t q = 0; q < kParts; q++) {
    store_run<kN>(to + q * part, rest);
#pragma unroll
    for (uint32_t i = 0; i < kN; i++) rest[i] -= to_float(from_float<bf16>(rest[i]));
  }
}

constexpr uint32_t kPartsThreads = 256;

// One thread takes runs of eight columns.
template <uint32_t kParts, bool wide>
__global__ void __launch_bounds__(kPartsThreads)
to_parts(const float* __restrict__ x, bf16* __restrict__ parts, Param<uint32_t> given_rows, uint32_t width) {
  const uint32_t rows = given_rows(), runs = (width + 7) / 8, count = (rows + 7) / 8 * 8 * runs;
  for (uint32_t i = blockIdx.x * kPartsThreads + threadIdx.x; i < count; i += gridDim.x * kPartsThreads) {
    const uint32_t row = i / runs, column = (i - row * runs) * 8;
    const float* from = x + size_t(row) * width + column;
    float v[8] = {};
    if (wide) {
      if (row < rows) load_run<8>(from, v);
    } else {
#pragma unroll
      for (uint32_t j = 0; j < 8; j++)
        if (row < rows && column + j < width) v[j] = from[j];
    }
    store_parts<kParts>(parts + size_t(row) * runs * 8 * kParts + column, runs * 8, v);
  }
}

// Records the parts of x [rows, width] in scratch: [rows8, kParts, width8].
template <uint32_t kParts>
inline const bf16* record_parts(Launch& launch, Buffer<const float> x, Param<uint32_t> rows, uint32_t width) {
  const uint64_t runs = uint64_t(to_eights(uint32_t(x.size / width))) * to_eights(width) / 8;
  bf16* parts = launch.scratch<bf16>(runs * 8 * kParts);
  const bool wide = width % 8 == 0 && aligned_16(x.data);
  launch(wide ? to_parts<kParts, true> : to_parts<kParts, false>, blocks_for(launch, runs, kPartsThreads), kPartsThreads, 0, x.data, parts,
         rows, width);
  return parts;
}

}  // namespace
