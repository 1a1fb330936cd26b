// The CUDA language: nvcc's, or that of the emulator (native/cuda/emulator), in which every kernel is also a C++ function.
// Kernels keep to what is used here, so that both compile them unchanged:
// - Shared memory is one struct, `Shared& s = shared_as<Shared>();`, and is launched with sizeof(Shared) bytes (or more,
//   what follows the struct is dynamic). No `__shared__` variables: the emulator must know what belongs to the block.
// - No libraries, no textures, no `__constant__`, no float atomics.
// - Instructions without a C++ form stand behind the functions of mma.cuh and hopper.cuh.
#pragma once

#if defined(__CUDACC__)

extern __shared__ __align__(1024) char bioalbert_shared[];

// The block's shared memory as a struct. A comment in the PTX tells its size to `npm run check:cuda`.
template <class T>
__device__ __forceinline__ T& shared_as() {
  asm volatile("// bioalbert shared %0" ::"n"(int(sizeof(T))));
  return *reinterpret_cast<T*>(bioalbert_shared);
}

#else
#include "emulator/language.h"
#endif
