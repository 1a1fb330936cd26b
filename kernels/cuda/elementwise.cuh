// Kernels that treat every element alike: a thread has four neighbouring elements at a time in a grid-stride loop, one
// 16-byte access of f32, and what is left over at the end one by one. Where addresses do not allow it, as in slices of a
// stack whose size is odd, all go one by one.
#pragma once
#include "kernel.cuh"

namespace {

constexpr uint32_t kElementwise = 256;  // threads of a block

// Calls four(i) for i, i + 1, i + 2, i + 3, and one(i).
template <bool kWide, class Four, class One>
__device__ __forceinline__ void each_element(uint32_t n, Four four, One one) {
  const uint32_t first = blockIdx.x * kElementwise + threadIdx.x, step = gridDim.x * kElementwise;
  uint32_t done = 0;
  if constexpr (kWide) {
    done = n / 4 * 4;
    for (uint32_t i = first; i < n / 4; i += step) four(4 * i);
  }
  for (uint32_t i = done + first; i < n; i += step) one(i);
}

// Whether four elements may be accessed at once from `at` on. Host.
template <class T>
bool is_wide(const T* at) {
  return reinterpret_cast<uintptr_t>(at) % (4 * sizeof(T)) == 0;
}

// Blocks for n elements. Host.
inline uint32_t element_blocks(const Launch& launch, size_t n) { return blocks_for(launch, n, 4 * kElementwise); }

}  // namespace
