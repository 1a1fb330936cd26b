// Tensor cores as every chip from sm_80 on has them: products of bf16 by a warp, loads of their fragments, and copies from
// global to shared memory that do not pass through registers. Thin functions over PTX, with a C++ form in the emulator.
//
// Fragments of mma.m16n8k16 (PTX ISA 9.7.14): with g = lane / 4 and t = lane % 4, two bf16 a register,
//   A [16 x 16] a[0]: row g, columns 2t, 2t+1; a[1]: row g+8; a[2]: row g, columns 2t+8, 2t+9; a[3]: row g+8, these columns
//   B [16 x 8]  b[0]: rows 2t, 2t+1 of column g; b[1]: rows 2t+8, 2t+9
//   D [16 x 8]  d[0], d[1]: row g, columns 2t, 2t+1; d[2], d[3]: row g+8
#pragma once
#include "kernel.cuh"

#if !defined(__CUDACC__)
#include "emulator/tensor.h"
#endif

namespace {

// d += a b
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulator::mma_m16n8k16(d, a, b);
#endif
}

#if defined(__CUDACC__)
__device__ __forceinline__ uint32_t shared_address(const void* p) { return uint32_t(__cvta_generic_to_shared(p)); }
#endif

// Four 8 x 8 matrices of two-byte elements: lane l gives the address of row l % 8 of matrix l / 8 (16 bytes, aligned) and
// gets in r[m] the elements 2 (l % 4) and the next of row l / 4 of matrix m; with `trans` of its column.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  emulator::ldmatrix(r, 4, row, false);
#endif
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  emulator::ldmatrix(r, 4, row, true);
#endif
}
// Two matrices; lanes 0 to 15 give the addresses.
__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], const void* row) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
#else
  emulator::ldmatrix(r, 2, row, false);
#endif
}
__device__ __forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
#else
  emulator::ldmatrix(r, 2, row, true);
#endif
}

// Starts a copy of 16 bytes from global to shared memory, of zeros where `there` is false (`global` is not read then, but
// must be a valid address). Complete for this thread after cp_async_wait, for others after a barrier behind that.
__device__ __forceinline__ void cp_async_16(void* shared, const void* global, bool there = true) {
#if defined(__CUDACC__)
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(there ? 16 : 0)
               : "memory");
#else
  emulator::cp_async(shared, global, 16, there ? 16 : 0);
#endif
}
__device__ __forceinline__ void cp_async_commit() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emulator::cp_async_commit();
#endif
}
// Waits until at most the last kLeft groups of this thread are under way.
template <int kLeft>
__device__ __forceinline__ void cp_async_wait() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#else
  emulator::cp_async_wait(kLeft);
#endif
}

// Barrier `id` (1 to 15; 0 is __syncthreads) of `threads` threads, whole warps: waits for all, or only counts.
__device__ __forceinline__ void barrier_sync(uint32_t id, uint32_t threads) {
#if defined(__CUDACC__)
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
  emulator::named_barrier(id, threads, true);
#endif
}
__device__ __forceinline__ void barrier_arrive(uint32_t id, uint32_t threads) {
#if defined(__CUDACC__)
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
  emulator::named_barrier(id, threads, false);
#endif
}

// 2^v, relative error below 2^-22.
__device__ __forceinline__ float exp2_fast(float v) {
#if defined(__CUDACC__)
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
  return r;
#else
  return exp2f(v);
#endif
}

}  // namespace
