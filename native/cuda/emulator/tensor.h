// C++ forms of the instructions behind kernels/cuda/mma.cuh.
#pragma once
#include <stdint.h>

namespace emulator {

void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void ldmatrix(uint32_t* r, int matrices, const void* row, bool trans);
void cp_async(void* shared, const void* global, uint32_t bytes, uint32_t there);
void cp_async_commit();
void cp_async_wait(int left);

}  // namespace emulator
