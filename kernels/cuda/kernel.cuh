// What every CUDA kernel file includes: the language, how entry points record launches (launch.h), and sums over a warp
// and a block in a fixed order.
#pragma once
#include "bf16.cuh"
#include "language.cuh"
#include "launch.h"

namespace {

constexpr uint32_t kWarp = 32;
constexpr uint32_t kWholeWarp = 0xffffffffu;

__device__ __forceinline__ uint32_t lane() { return threadIdx.x % kWarp; }
__device__ __forceinline__ uint32_t warp() { return threadIdx.x / kWarp; }

// Sum over the lanes of a warp, the same bits in each (a butterfly adds the same pairs in every lane).
__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (uint32_t d = kWarp / 2; d > 0; d /= 2) v += __shfl_xor_sync(kWholeWarp, v, d);
  return v;
}

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (uint32_t d = kWarp / 2; d > 0; d /= 2) v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, d));
  return v;
}

// Sum over a block of `kThreads`; `partial` is shared memory of kThreads / 32 floats that nobody else uses meanwhile.
// All threads call it and all get the same bits.
template <uint32_t kThreads>
__device__ __forceinline__ float block_sum(float v, float* partial) {
  v = warp_sum(v);
  __syncthreads();  // the last sum has been read
  if (lane() == 0) partial[warp()] = v;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (uint32_t w = 0; w < kThreads / kWarp; w++) sum += partial[w];
  return sum;
}

}  // namespace
