// What only sm_90a has: products of a warpgroup whose operands lie in shared memory (wgmma), the copy engine (TMA) and the
// barriers that it completes on. Thin functions over PTX, with a C++ form in the emulator (emulator/hopper.h), which runs
// everything that is asynchronous as late as the program allows.
//
// A kernel with these has its body between `#if defined(BIOALBERT_HOPPER)` and `#endif`: for other chips it is compiled
// empty, and its entry point launches it only if chip().capability is 90. Names as in the PTX ISA, where the rules are:
// "Asynchronous warpgroup level matrix instructions", "cp.async.bulk.tensor", "mbarrier".
//
// Who sees what:
// - mbarrier_wait makes visible what was written before the arrivals of that phase, and the tiles that completed it.
// - Ordinary stores to shared memory that wgmma then reads, or where a tile then goes: fence_async() in each thread that
//   stored, then a barrier.
// - Accumulators belong to wgmma from its issue to the wgmma_wait that covers it; wgmma_fence before the first of a chain.
#pragma once
#include "mma.cuh"
#include "record.h"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDACC__)
#define BIOALBERT_HOPPER
#endif
#if !defined(__CUDACC__)
#include "emulator/emulator.h"
#include "emulator/hopper.h"
#endif

namespace {

constexpr uint32_t kWarpgroup = 128;

// ---------------------------------------------------------------- mbarriers

// In shared memory. Phases count from 0; a phase ends when `count` threads have arrived and all bytes that were expected are
// there. Parity p of mbarrier_wait is that of the phase which must have ended: 0 at first, then 1, 0, 1, ...; waiting for
// parity 1 on a new barrier returns at once.
struct Mbarrier {
  uint64_t word;
};

// By one thread, which then calls mbarrier_fence_init; all others need a barrier behind it.
__device__ __forceinline__ void mbarrier_init(Mbarrier& b, uint32_t count) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&b)), "r"(count) : "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_init(&b, count);
#endif
}
__device__ __forceinline__ void mbarrier_fence_init() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_fence_init();
#endif
}
// Ends a barrier, so that its memory may be used otherwise.
__device__ __forceinline__ void mbarrier_invalidate(Mbarrier& b) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(&b)) : "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_invalidate(&b);
#endif
}
__device__ __forceinline__ void mbarrier_arrive(Mbarrier& b) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&b)) : "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_arrive(&b, 0);
#endif
}
// Arrives and lets the phase wait for `bytes` of tiles more.
__device__ __forceinline__ void mbarrier_arrive_expect(Mbarrier& b, uint32_t bytes) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&b)), "r"(bytes) : "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_arrive(&b, bytes);
#endif
}
__device__ __forceinline__ void mbarrier_wait(Mbarrier& b, uint32_t parity) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "AGAIN:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra AGAIN;\n"
      "}" ::"r"(shared_address(&b)),
      "r"(parity)
      : "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_wait(&b, parity);
#endif
}
// Whether the phase has ended; may wait a while for it.
__device__ __forceinline__ bool mbarrier_try_wait(Mbarrier& b, uint32_t parity) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  uint32_t done;
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
      "selp.u32 %0, 1, 0, done;\n"
      "}"
      : "=r"(done)
      : "r"(shared_address(&b)), "r"(parity)
      : "memory");
  return done != 0;
#elif !defined(__CUDACC__)
  return emulator::mbarrier_try_wait(&b, parity);
#else
  return true;
#endif
}

// Orders this thread's ordinary accesses to shared memory before later ones of wgmma and of the copy engine.
__device__ __forceinline__ void fence_async() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#elif !defined(__CUDACC__)
  emulator::fence_async();
#endif
}

// ---------------------------------------------------------------- the copy engine

// Starts the copy of a tile of `map`, a __grid_constant__ parameter, whose first element is at (x, y), to `shared`
// (aligned to 128 bytes; to 1,024 with Swizzle::b128, 512 with b64, 256 with b32). One thread calls it. The bytes of the whole
// box count on `b`, also where the tile hangs over the tensor's edge and zeros are written.
__device__ __forceinline__ void tma_load(void* shared, const TensorMap& map, Mbarrier& b, int32_t x, int32_t y) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
                   shared_address(shared)),
               "l"(&map), "r"(shared_address(&b)), "r"(x), "r"(y)
               : "memory");
#elif !defined(__CUDACC__)
  const int32_t at[] = {x, y};
  emulator::tma_load(shared, map, &b, 2, at, 0);
#endif
}
__device__ __forceinline__ void tma_load(void* shared, const TensorMap& map, Mbarrier& b, int32_t x, int32_t y, int32_t z) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(
                   shared_address(shared)),
               "l"(&map), "r"(shared_address(&b)), "r"(x), "r"(y), "r"(z)
               : "memory");
#elif !defined(__CUDACC__)
  const int32_t at[] = {x, y, z};
  emulator::tma_load(shared, map, &b, 3, at, 0);
#endif
}
__device__ __forceinline__ void tma_prefetch(const TensorMap& map) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
#else
  (void)map;
#endif
}

// ---------------------------------------------------------------- clusters

// Two or more blocks, neighbours along x, that run at the same time and reach each other's shared memory. A kernel says so by
// BIOALBERT_CLUSTER(blocks) behind its launch bounds, and is launched by launch_cluster. No block may end while others reach
// for it: cluster_sync last.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || (defined(__CUDACC__) && !defined(__CUDA_ARCH__))
#define BIOALBERT_CLUSTER(blocks) __cluster_dims__(blocks, 1, 1)
#else
#define BIOALBERT_CLUSTER(blocks)
#endif

__device__ __forceinline__ uint32_t cluster_rank() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#elif !defined(__CUDACC__)
  return emulator::cluster_rank();
#else
  return 0;
#endif
}
// All threads of all blocks of the cluster meet, and see what each did before.
__device__ __forceinline__ void cluster_sync() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile(
      "barrier.cluster.arrive.release;\n"
      "barrier.cluster.wait.acquire;" ::
          : "memory");
#elif !defined(__CUDACC__)
  emulator::sync_cluster();
#endif
}
// Arrives at the barrier that has the place of b in block `rank` of the cluster.
__device__ __forceinline__ void mbarrier_arrive_in(Mbarrier& b, uint32_t rank) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile(
      "{\n"
      ".reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [there];\n"
      "}" ::"r"(shared_address(&b)),
      "r"(rank)
      : "memory");
#elif !defined(__CUDACC__)
  emulator::mbarrier_arrive_in(&b, rank);
#endif
}
// tma_load into the same place of every block that has a bit in `ranks`; its bytes count on the barrier of each.
__device__ __forceinline__ void tma_load_in(uint32_t ranks, void* shared, const TensorMap& map, Mbarrier& b, int32_t x, int32_t y) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5}], [%2], %3;" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(shared_address(&b)), "h"(uint16_t(ranks)), "r"(x), "r"(y)
      : "memory");
#elif !defined(__CUDACC__)
  const int32_t at[] = {x, y};
  emulator::tma_load(shared, map, &b, 2, at, ranks);
#endif
}

// Records the launch of a kernel with BIOALBERT_CLUSTER(blocks); the grid is a multiple.
template <class... P, class... A>
inline void launch_cluster(Launch& launch, uint32_t blocks, void (*kernel)(P...), Grid grid, uint32_t threads, size_t shared, A... args) {
#if !defined(__CUDACC__)
  emulator::set_cluster(reinterpret_cast<const void*>(kernel), blocks);
#else
  (void)blocks;
#endif
  launch(kernel, grid, threads, shared, args...);
}

// ---------------------------------------------------------------- warps

// True in one lane of a whole warp, always the same one.
__device__ __forceinline__ bool elect_one() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  uint32_t elected;
  asm volatile(
      "{\n"
      ".reg .pred elected;\n"
      "elect.sync _|elected, 0xffffffff;\n"
      "selp.u32 %0, 1, 0, elected;\n"
      "}"
      : "=r"(elected));
  return elected != 0;
#elif !defined(__CUDACC__)
  return emulator::elect_one();
#else
  return false;
#endif
}

// Registers of each thread from here on, by all warps of a warpgroup: fewer, so that another one may have more. A multiple of
// 8; what the block has at its start is what __launch_bounds__(threads, 1) leaves: 65,536 / threads, rounded down to 8.
template <uint32_t kRegisters>
__device__ __forceinline__ void registers_lower() {
  static_assert(kRegisters % 8 == 0 && kRegisters >= 24 && kRegisters <= 256, "setmaxnreg");
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
#elif !defined(__CUDACC__)
  emulator::registers(kRegisters, false);
#endif
}
template <uint32_t kRegisters>
__device__ __forceinline__ void registers_raise() {
  static_assert(kRegisters % 8 == 0 && kRegisters >= 24 && kRegisters <= 256, "setmaxnreg");
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
#elif !defined(__CUDACC__)
  emulator::registers(kRegisters, true);
#endif
}

// The reverse of ldmatrix_x4: lane l gives the address of row l % 8 of matrix l / 8 and in r[m] the elements 2 (l % 4) and the
// next of row l / 4 of matrix m.
__device__ __forceinline__ void stmatrix_x4(void* row, const uint32_t (&r)[4]) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(shared_address(row)), "r"(r[0]), "r"(r[1]),
               "r"(r[2]), "r"(r[3])
               : "memory");
#elif !defined(__CUDACC__)
  emulator::stmatrix(row, r);
#endif
}

}  // namespace
