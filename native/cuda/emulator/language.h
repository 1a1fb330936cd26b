// The CUDA language for kernels that are compiled as C++ (kernels/cuda/language.cuh): qualifiers, built-in variables, vector
// types, and the functions of a device that kernels use. Functions that are not inline are in collectives.cc.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)

struct uint2 {
  uint32_t x, y;
} __attribute__((aligned(8)));
struct uint4 {
  uint32_t x, y, z, w;
} __attribute__((aligned(16)));
struct int2 {
  int32_t x, y;
} __attribute__((aligned(8)));
struct int4 {
  int32_t x, y, z, w;
} __attribute__((aligned(16)));
struct float2 {
  float x, y;
} __attribute__((aligned(8)));
struct float4 {
  float x, y, z, w;
} __attribute__((aligned(16)));

inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
inline int4 make_int4(int32_t x, int32_t y, int32_t z, int32_t w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace emulator {

struct Index {
  uint32_t x, y, z;
};
Index thread_index();
Index block_index();
Index block_size();
Index grid_size();
char* shared_memory_of_block();
void sync_threads();
void sync_warp();
void named_barrier(uint32_t id, uint32_t count, bool waits);
uint32_t shuffle(uint32_t value, uint32_t from_lane);
uint32_t shuffle_down(uint32_t value, uint32_t delta);
uint32_t shuffle_up(uint32_t value, uint32_t delta);
uint32_t shuffle_xor(uint32_t value, uint32_t mask);
uint32_t ballot(bool vote);
void whole_warp(uint32_t mask);
uint32_t add_atomically(uint32_t* at, uint32_t value);
uint32_t max_atomically(uint32_t* at, uint32_t value);
uint32_t round_bf16(float v);

template <class To, class From>
inline To bits_as(From v) {
  static_assert(sizeof(To) == sizeof(From), "as many bytes");
  To to;
  memcpy(&to, &v, sizeof to);
  return to;
}

}  // namespace emulator

#define threadIdx (emulator::thread_index())
#define blockIdx (emulator::block_index())
#define blockDim (emulator::block_size())
#define gridDim (emulator::grid_size())

inline float __uint_as_float(uint32_t v) { return emulator::bits_as<float>(v); }
inline uint32_t __float_as_uint(float v) { return emulator::bits_as<uint32_t>(v); }
inline float __int_as_float(int32_t v) { return emulator::bits_as<float>(v); }
inline int32_t __float_as_int(float v) { return emulator::bits_as<int32_t>(v); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return uint32_t((uint64_t(a) * b) >> 32); }
inline float rsqrtf(float v) { return 1.0f / sqrtf(v); }
inline int __popc(uint32_t v) { return __builtin_popcount(v); }
inline int __clz(uint32_t v) { return v == 0 ? 32 : __builtin_clz(v); }
inline int __ffs(uint32_t v) { return __builtin_ffs(int(v)); }
template <class T>
inline T __ldg(const T* p) {
  return *p;
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }
inline uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }

inline void __syncthreads() { emulator::sync_threads(); }
inline void __syncwarp(uint32_t mask = 0xffffffffu) {
  emulator::whole_warp(mask);
  emulator::sync_warp();
}
template <class T>
inline T __shfl_xor_sync(uint32_t mask, T v, uint32_t lanes) {
  emulator::whole_warp(mask);
  return emulator::bits_as<T>(emulator::shuffle_xor(emulator::bits_as<uint32_t>(v), lanes));
}
template <class T>
inline T __shfl_sync(uint32_t mask, T v, uint32_t lane) {
  emulator::whole_warp(mask);
  return emulator::bits_as<T>(emulator::shuffle(emulator::bits_as<uint32_t>(v), lane));
}
template <class T>
inline T __shfl_down_sync(uint32_t mask, T v, uint32_t delta) {
  emulator::whole_warp(mask);
  return emulator::bits_as<T>(emulator::shuffle_down(emulator::bits_as<uint32_t>(v), delta));
}
template <class T>
inline T __shfl_up_sync(uint32_t mask, T v, uint32_t delta) {
  emulator::whole_warp(mask);
  return emulator::bits_as<T>(emulator::shuffle_up(emulator::bits_as<uint32_t>(v), delta));
}
inline uint32_t __ballot_sync(uint32_t mask, bool vote) {
  emulator::whole_warp(mask);
  return emulator::ballot(vote);
}
inline int __any_sync(uint32_t mask, bool vote) { return __ballot_sync(mask, vote) != 0; }
inline int __all_sync(uint32_t mask, bool vote) { return __ballot_sync(mask, vote) == 0xffffffffu; }
inline uint32_t atomicAdd(uint32_t* at, uint32_t value) { return emulator::add_atomically(at, value); }
inline uint32_t atomicMax(uint32_t* at, uint32_t value) { return emulator::max_atomically(at, value); }
inline void __threadfence() {}
inline void __threadfence_block() {}

// The block's shared memory as a struct.
template <class T>
inline T& shared_as() {
  return *reinterpret_cast<T*>(emulator::shared_memory_of_block());
}
