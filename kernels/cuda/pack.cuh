// N neighbouring elements of a row in registers, as they lie in memory: bf16 stay packed, two a register, and are floats
// only while they are computed with. One access of 16 bytes where N elements are as many (two for eight floats).
#pragma once
#include "kernel.cuh"

namespace {

template <class T, uint32_t N>
struct Pack;

template <uint32_t N>
struct Pack<float, N> {
  static_assert(N == 1 || N % 4 == 0, "one element, or whole accesses");
  float v[N];

  __device__ __forceinline__ float operator[](uint32_t i) const { return v[i]; }
  static __device__ __forceinline__ Pack of(const float (&x)[N]) {
    Pack p;
#pragma unroll
    for (uint32_t i = 0; i < N; i++) p.v[i] = x[i];
    return p;
  }
  static __device__ __forceinline__ Pack load(const float* from) {
    Pack p;
    if constexpr (N == 1) {
      p.v[0] = *from;
    } else {
#pragma unroll
      for (uint32_t i = 0; i < N; i += 4) {
        const float4 w = load4(from + i);
        p.v[i] = w.x, p.v[i + 1] = w.y, p.v[i + 2] = w.z, p.v[i + 3] = w.w;
      }
    }
    return p;
  }
  __device__ __forceinline__ void store(float* to) const {
    if constexpr (N == 1) {
      *to = v[0];
    } else {
#pragma unroll
      for (uint32_t i = 0; i < N; i += 4) store4(to + i, make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]));
    }
  }
};

template <>
struct Pack<bf16, 1> {
  bf16 v;

  __device__ __forceinline__ float operator[](uint32_t) const { return to_float(v); }
  static __device__ __forceinline__ Pack of(const float (&x)[1]) { return {from_float<bf16>(x[0])}; }
  static __device__ __forceinline__ Pack load(const bf16* from) { return {*from}; }
  __device__ __forceinline__ void store(bf16* to) const { *to = v; }
};

template <uint32_t N>
struct Pack<bf16, N> {
  static_assert(N == 4 || N == 8, "whole accesses");
  uint32_t pair[N / 2];

  __device__ __forceinline__ float operator[](uint32_t i) const {
    return i % 2 ? high_bf16(pair[i / 2]) : low_bf16(pair[i / 2]);
  }
  static __device__ __forceinline__ Pack of(const float (&x)[N]) {
    Pack p;
#pragma unroll
    for (uint32_t i = 0; i < N / 2; i++) p.pair[i] = pack_bf16(x[2 * i], x[2 * i + 1]);
    return p;
  }
  static __device__ __forceinline__ Pack load(const bf16* from) {
    if constexpr (N == 4) {
      const uint2 w = *reinterpret_cast<const uint2*>(from);
      return {{w.x, w.y}};
    } else {
      const uint4 w = *reinterpret_cast<const uint4*>(from);
      return {{w.x, w.y, w.z, w.w}};
    }
  }
  __device__ __forceinline__ void store(bf16* to) const {
    if constexpr (N == 4)
      *reinterpret_cast<uint2*>(to) = make_uint2(pair[0], pair[1]);
    else
      *reinterpret_cast<uint4*>(to) = make_uint4(pair[0], pair[1], pair[2], pair[3]);
  }
};

// Whether all of these are multiples of 16 bytes. Host.
template <class... P>
bool all_aligned_16(const P*... at) {
  return ((reinterpret_cast<uintptr_t>(at) % 16 == 0) && ...);
}

}  // namespace
