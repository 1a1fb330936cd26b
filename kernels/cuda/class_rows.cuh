// How softmax and cross_entropy cut rows of `columns` logits: up to 1,024 columns a row lies in the registers of 4, 8 or 32
// lanes, column c in lane c % lanes, so that it is read once and many short rows keep a warp busy; longer rows have a
// block each. The cut follows from `columns`, so a row has the same bits in any batch.
#pragma once
#include "ahead.cuh"

namespace {

constexpr uint32_t kLongest = 1024;     // columns of a row in registers
constexpr uint32_t kRowThreads = 256;   // of a block, with rows in registers

// Lanes of a row and columns of a lane.
template <uint32_t kLanes_, uint32_t kEach_>
struct RowShape {
  static constexpr uint32_t kLanes = kLanes_, kEach = kEach_, kRows = kWarp / kLanes;  // rows of a warp
};

// Calls f(RowShape) with the shape for so many columns. Host.
template <class F>
void with_row_shape(uint32_t columns, F f) {
  if (columns <= 16) return f(RowShape<4, 4>());
  if (columns <= 64) return f(RowShape<8, 8>());
  if (columns <= 128) return f(RowShape<32, 4>());
  if (columns <= 256) return f(RowShape<32, 8>());
  if (columns <= 512) return f(RowShape<32, 16>());
  return f(RowShape<32, 32>());
}

// Blocks for so many rows of a shape. Host.
template <class Shape>
uint32_t row_blocks(const Launch& launch, Shape, size_t rows) {
  return blocks_for(launch, rows, kRowThreads / Shape::kLanes);
}

// f(row, lane of the row, whether there is such a row), whole warps.
template <class Shape, class F>
__device__ __forceinline__ void each_row(uint32_t rows, F f) {
  constexpr uint32_t kWarps = kRowThreads / kWarp;
  for (uint32_t first = (blockIdx.x * kWarps + warp()) * Shape::kRows; first < rows; first += gridDim.x * kWarps * Shape::kRows) {
    const uint32_t row = first + lane() / Shape::kLanes;
    f(row, lane() % Shape::kLanes, row < rows);
  }
}

template <uint32_t kLanes>
__device__ __forceinline__ float lanes_sum(float v) {
#pragma unroll
  for (uint32_t d = kLanes / 2; d > 0; d /= 2) v += __shfl_xor_sync(kWholeWarp, v, d);
  return v;
}

// The largest that is not a NaN.
template <uint32_t kLanes>
__device__ __forceinline__ float lanes_max(float v) {
#pragma unroll
  for (uint32_t d = kLanes / 2; d > 0; d /= 2) v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, d));
  return v;
}

template <uint32_t kLanes>
__device__ __forceinline__ uint32_t lanes_min(uint32_t v) {
#pragma unroll
  for (uint32_t d = kLanes / 2; d > 0; d /= 2) v = min(v, __shfl_xor_sync(kWholeWarp, v, d));
  return v;
}

// Over a block, as block_sum; `partial` is shared memory of kThreads / 32 words.
template <uint32_t kThreads>
__device__ __forceinline__ float block_max(float v, float* partial) {
  v = lanes_max<kWarp>(v);
  __syncthreads();
  if (lane() == 0) partial[warp()] = v;
  __syncthreads();
#pragma unroll
  for (uint32_t w = 0; w < kThreads / kWarp; w++) v = fmaxf(v, partial[w]);
  return v;
}

template <uint32_t kThreads>
__device__ __forceinline__ uint32_t block_min(uint32_t v, uint32_t* partial) {
  v = lanes_min<kWarp>(v);
  __syncthreads();
  if (lane() == 0) partial[warp()] = v;
  __syncthreads();
#pragma unroll
  for (uint32_t w = 0; w < kThreads / kWarp; w++) v = min(v, partial[w]);
  return v;
}

// What is subtracted from a row whose largest value is m: 0 where all are -inf, as -inf minus itself would be NaN.
__device__ __forceinline__ float shift_of(float m) { return m == -INFINITY ? 0.f : m; }

}  // namespace
