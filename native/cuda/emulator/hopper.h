// C++ forms of the instructions behind kernels/cuda/hopper.cuh and wgmma.cuh.
#pragma once
#include <stdint.h>

struct TensorMap;

namespace emulator {

void mbarrier_init(void* barrier, uint32_t count);
void mbarrier_fence_init();
void mbarrier_invalidate(void* barrier);
void mbarrier_arrive(void* barrier, uint32_t expected_bytes);
void mbarrier_arrive_in(void* barrier, uint32_t rank);
void mbarrier_wait(void* barrier, uint32_t parity);
bool mbarrier_try_wait(void* barrier, uint32_t parity);
void fence_async();

// To the blocks of a cluster that have a bit in `ranks`; to the caller's own if it is 0.
void tma_load(void* shared, const TensorMap& map, void* barrier, uint32_t dimensions, const int32_t* at, uint32_t ranks);

uint32_t cluster_rank();
void sync_cluster();

bool elect_one();
void registers(uint32_t count, bool raise);
void stmatrix(void* row, const uint32_t (&r)[4]);

// Where `p` lies in the window of shared memory, as descriptors count.
uint32_t shared_address(const void* p);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(int left);
// `a` is null if it lies in shared memory.
void wgmma(float* d, uint32_t n, const uint32_t* a, uint64_t descriptor_a, bool a_is_mn, uint64_t descriptor_b, bool b_is_mn, bool accumulate);

}  // namespace emulator
