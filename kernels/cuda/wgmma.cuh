// wgmma: d += a b by a warpgroup (4 warps, the first of an index divisible by 4), a [64 x 16], b [16 x kN] bf16, d f32.
//
// d, 64 x kN, lies in registers: warp w of the warpgroup has rows 16 w to 16 w + 15; with g = lane / 4, t = lane % 4
//   d[4 j], d[4 j + 1]: row g, columns 8 j + 2 t and the next; d[4 j + 2], d[4 j + 3]: row g + 8, these columns
// which are the fragments of mma.m16n8k16 side by side; a from registers is its A fragment of rows 16 w to 16 w + 15.
//
// b, and a where it is not in registers, lie in shared memory and are given by a descriptor (see `descriptor`). An operand
// is K-major if the 16 elements along k are neighbours in memory (rows of x and weight in y = x weight^T), MN-major if
// those along m or n are.
#pragma once
#include "hopper.cuh"

namespace {

enum class Major : uint32_t { k, mn };

// Where an operand lies: in blocks of 8 rows of W bytes, W = 128, 64, 32 by swizzle (16 without), as a tile with an inner
// extent of W bytes comes from the copy engine with the same swizzle. What is a row and how blocks follow each other:
//                   a row is                  `stride`: from a block to the next   `leading`
//   K-major         W / 2 of k, of one m or n   along m or n (8 further)           unused (without swizzle: 8 further along k)
//   MN-major        W / 2 of m or n, of one k   along k (8 further)                along m or n (W / 2 further)
//   MN-major, none  8 of m or n, of one k       along m or n (8 further)           along k (8 further)
// `start` is where the first element lies; blocks must be aligned to 8 W bytes. The next 16 of k of a K-major operand that
// is wider than 16 are 32 bytes further (`further`); those of an MN-major operand two blocks further along k.
// Bits (PTX ISA, "Matrix descriptor format"): 0-13 start / 16, 16-29 leading / 16, 32-45 stride / 16, 49-51 offset of the
// first row in its block (0 here), 62-63 swizzle (1: 128 bytes, 2: 64, 3: 32).
__device__ __forceinline__ uint64_t descriptor(const void* start, uint32_t leading, uint32_t stride, Swizzle swizzle) {
#if defined(BIOALBERT_HOPPER)
#if defined(__CUDACC__)
  const uint32_t address = shared_address(start);
#else
  const uint32_t address = emulator::shared_address(start);
#endif
  const uint32_t mode = swizzle == Swizzle::none ? 0 : 4 - uint32_t(swizzle);
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t((leading & 0x3ffff) >> 4) << 16 | uint64_t((stride & 0x3ffff) >> 4) << 32 |
         uint64_t(mode) << 62;
#else
  return 0;
#endif
}
__device__ __forceinline__ uint64_t further(uint64_t descriptor, uint32_t bytes) { return descriptor + (bytes >> 4); }

// Keeps the compiler from moving what reads or writes d across.
template <uint32_t kR>
__device__ __forceinline__ void pin(float (&d)[kR]) {
#if defined(__CUDACC__)
#pragma unroll
  for (uint32_t i = 0; i < kR; i++) asm volatile("" : "+f"(d[i])::"memory");
#else
  (void)d;
#endif
}

// Orders accesses to the accumulators `d` (and to operands in registers) before the wgmma that follow.
template <class... D>
__device__ __forceinline__ void wgmma_fence(D&... d) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  (pin(d), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#elif !defined(__CUDACC__)
  ((void)d, ...);
  emulator::wgmma_fence();
#endif
}
// Makes a group of all wgmma since the last one.
__device__ __forceinline__ void wgmma_commit() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#elif !defined(__CUDACC__)
  emulator::wgmma_commit();
#endif
}
// Waits until at most the last kLeft groups are under way. Of operands in shared memory each warp knows that it has read
// them itself, not that the other three have.
template <int kLeft, class... D>
__device__ __forceinline__ void wgmma_wait(D&... d) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
  (pin(d), ...);
#elif !defined(__CUDACC__)
  ((void)d, ...);
  emulator::wgmma_wait(kLeft);
#endif
}

// ---------------------------------------------------------------- the instruction for each kN

__host__ __device__ constexpr bool is_wgmma_size(uint32_t n) {
  return n == 8 || n == 16 || n == 32 || n == 64 || n == 96 || n == 128 || n == 192 || n == 256;
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define WGMMA_D0 "%0, %1, %2, %3, %4, %5, %6, %7"
#define WGMMA_D1 "%8, %9, %10, %11, %12, %13, %14, %15"
#define WGMMA_D2 "%16, %17, %18, %19, %20, %21, %22, %23"
#define WGMMA_D3 "%24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_D4 "%32, %33, %34, %35, %36, %37, %38, %39"
#define WGMMA_D5 "%40, %41, %42, %43, %44, %45, %46, %47"
#define WGMMA_D6 "%48, %49, %50, %51, %52, %53, %54, %55"
#define WGMMA_D7 "%56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_D8 "%64, %65, %66, %67, %68, %69, %70, %71"
#define WGMMA_D9 "%72, %73, %74, %75, %76, %77, %78, %79"
#define WGMMA_D10 "%80, %81, %82, %83, %84, %85, %86, %87"
#define WGMMA_D11 "%88, %89, %90, %91, %92, %93, %94, %95"
#define WGMMA_D12 "%96, %97, %98, %99, %100, %101, %102, %103"
#define WGMMA_D13 "%104, %105, %106, %107, %108, %109, %110, %111"
#define WGMMA_D14 "%112, %113, %114, %115, %116, %117, %118, %119"
#define WGMMA_D15 "%120, %121, %122, %123, %124, %125, %126, %127"
#define WGMMA_LIST_8 "%0, %1, %2, %3"
#define WGMMA_LIST_16 WGMMA_D0
#define WGMMA_LIST_32 WGMMA_LIST_16 ", " WGMMA_D1
#define WGMMA_LIST_64 WGMMA_LIST_32 ", " WGMMA_D2 ", " WGMMA_D3
#define WGMMA_LIST_96 WGMMA_LIST_64 ", " WGMMA_D4 ", " WGMMA_D5
#define WGMMA_LIST_128 WGMMA_LIST_96 ", " WGMMA_D6 ", " WGMMA_D7
#define WGMMA_LIST_192 WGMMA_LIST_128 ", " WGMMA_D8 ", " WGMMA_D9 ", " WGMMA_D10 ", " WGMMA_D11
#define WGMMA_LIST_256 WGMMA_LIST_192 ", " WGMMA_D12 ", " WGMMA_D13 ", " WGMMA_D14 ", " WGMMA_D15
#define WGMMA_F8(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define WGMMA_OUT_8 "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define WGMMA_OUT_16 WGMMA_F8(0)
#define WGMMA_OUT_32 WGMMA_OUT_16, WGMMA_F8(8)
#define WGMMA_OUT_64 WGMMA_OUT_32, WGMMA_F8(16), WGMMA_F8(24)
#define WGMMA_OUT_96 WGMMA_OUT_64, WGMMA_F8(32), WGMMA_F8(40)
#define WGMMA_OUT_128 WGMMA_OUT_96, WGMMA_F8(48), WGMMA_F8(56)
#define WGMMA_OUT_192 WGMMA_OUT_128, WGMMA_F8(64), WGMMA_F8(72), WGMMA_F8(80), WGMMA_F8(88)
#define WGMMA_OUT_256 WGMMA_OUT_192, WGMMA_F8(96), WGMMA_F8(104), WGMMA_F8(112), WGMMA_F8(120)

// a and b of shared memory: operands after d are a, b, accumulate, and whether each is MN-major
#define WGMMA_SHARED(n, a, b, p, ta, tb)                                                                                   \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p ", 0;\nwgmma.mma_async.sync.aligned.m64n" #n                         \
               "k16.f32.bf16.bf16 {" WGMMA_LIST_##n "}, %" #a ", %" #b ", p, 1, 1, %" #ta ", %" #tb ";\n}"                 \
               : WGMMA_OUT_##n                                                                                             \
               : "l"(descriptor_a), "l"(descriptor_b), "r"(int(accumulate)), "n"(int(kA)), "n"(int(kB)))
// a of registers: after d are its four, b, accumulate, and whether b is MN-major
#define WGMMA_REGISTERS(n, a0, a1, a2, a3, b, p, tb)                                                                       \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #p ", 0;\nwgmma.mma_async.sync.aligned.m64n" #n                         \
               "k16.f32.bf16.bf16 {" WGMMA_LIST_##n "}, {%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b ", p, 1, 1, %" #tb   \
               ";\n}"                                                                                                      \
               : WGMMA_OUT_##n                                                                                             \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(descriptor_b), "r"(int(accumulate)), "n"(int(kB)))
#endif

// d (+)= a b, both of shared memory; without `accumulate` d is overwritten. All of a warpgroup, with the same arguments.
template <uint32_t kN, Major kA, Major kB>
__device__ __forceinline__ void wgmma(float (&d)[kN / 2], uint64_t descriptor_a, uint64_t descriptor_b, bool accumulate) {
  static_assert(is_wgmma_size(kN), "sizes that are written down here");
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  if constexpr (kN == 8) WGMMA_SHARED(8, 4, 5, 6, 7, 8);
  else if constexpr (kN == 16) WGMMA_SHARED(16, 8, 9, 10, 11, 12);
  else if constexpr (kN == 32) WGMMA_SHARED(32, 16, 17, 18, 19, 20);
  else if constexpr (kN == 64) WGMMA_SHARED(64, 32, 33, 34, 35, 36);
  else if constexpr (kN == 96) WGMMA_SHARED(96, 48, 49, 50, 51, 52);
  else if constexpr (kN == 128) WGMMA_SHARED(128, 64, 65, 66, 67, 68);
  else if constexpr (kN == 192) WGMMA_SHARED(192, 96, 97, 98, 99, 100);
  else if constexpr (kN == 256) WGMMA_SHARED(256, 128, 129, 130, 131, 132);
#elif !defined(__CUDACC__)
  emulator::wgmma(d, kN, nullptr, descriptor_a, kA == Major::mn, descriptor_b, kB == Major::mn, accumulate);
#endif
}

// The same with a of registers, which may be used again after the wgmma_wait that covers this.
template <uint32_t kN, Major kB>
__device__ __forceinline__ void wgmma(float (&d)[kN / 2], const uint32_t (&a)[4], uint64_t descriptor_b, bool accumulate) {
  static_assert(is_wgmma_size(kN), "sizes that are written down here");
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  if constexpr (kN == 8) WGMMA_REGISTERS(8, 4, 5, 6, 7, 8, 9, 10);
  else if constexpr (kN == 16) WGMMA_REGISTERS(16, 8, 9, 10, 11, 12, 13, 14);
  else if constexpr (kN == 32) WGMMA_REGISTERS(32, 16, 17, 18, 19, 20, 21, 22);
  else if constexpr (kN == 64) WGMMA_REGISTERS(64, 32, 33, 34, 35, 36, 37, 38);
  else if constexpr (kN == 96) WGMMA_REGISTERS(96, 48, 49, 50, 51, 52, 53, 54);
  else if constexpr (kN == 128) WGMMA_REGISTERS(128, 64, 65, 66, 67, 68, 69, 70);
  else if constexpr (kN == 192) WGMMA_REGISTERS(192, 96, 97, 98, 99, 100, 101, 102);
  else if constexpr (kN == 256) WGMMA_REGISTERS(256, 128, 129, 130, 131, 132, 133, 134);
#elif !defined(__CUDACC__)
  emulator::wgmma(d, kN, a, 0, false, descriptor_b, kB == Major::mn, accumulate);
#endif
}

}  // namespace
