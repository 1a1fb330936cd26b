// f32 as the sum of two bf16, for products of f32 on tensor cores: v = high + low + e, |e| <= 2^-18 |v|. Of the four products
// of parts the three that matter are summed (kThree in product_mma.cuh), so a product of two values is off by less than
// 3 x 2^-18 of itself, and sums of many by much less than that of the sum of absolute values.
// A row of n values becomes n8 high parts, then n8 low ones, n8 being n up to a multiple of 8; what is added is zero, as are rows
// past the given ones: so every copy is one of 16 bytes.
#pragma once
#include "epilogue.cuh"

namespace {

inline uint32_t to_eights(uint32_t n) { return (n + 7) / 8 * 8; }

// Stores kN values in two parts, the low ones `low` elements behind the high ones.
template <uint32_t kN>
__device__ __forceinline__ void store_parts(bf16* high, uint32_t low, const float (&v)[kN]) {
  float rest[kN];
#pragma unroll
  for (uint32_t i = 0; i < kN; i++) rest[i] = v[i] - to_float(from_float<bf16>(v[i]));
  store_run<kN>(high, v);
  store_run<kN>(high + low, rest);
}

constexpr uint32_t kPartsThreads = 256;

// One thread takes runs of eight columns. Rows from `rows` to the multiple of 8 are zeros.
template <bool wide>
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
    store_parts<8>(parts + size_t(row) * runs * 16 + column, runs * 8, v);
  }
}

// Records the parts of x [rows, width] in scratch: [rows8, 2, width8].
inline const bf16* record_parts(Launch& launch, Buffer<const float> x, Param<uint32_t> rows, uint32_t width) {
  const uint32_t most = uint32_t(x.size / width);
  const uint64_t runs = uint64_t(to_eights(most)) * to_eights(width) / 8;
  bf16* parts = launch.scratch<bf16>(runs * 16);
  const bool wide = width % 8 == 0 && aligned_16(x.data);
  launch(wide ? to_parts<true> : to_parts<false>, blocks_for(launch, runs, kPartsThreads), kPartsThreads, 0, x.data, parts, rows, width);
  return parts;
}

}  // namespace
