// What LAMB, AdamW and the norm of the gradients share: parts of chunks, sums in double, moments and direction.
//
//   m = beta1 m + rest1 g;  v = beta2 v + rest2 g^2;  direction = (m / correction1) / (sqrt(v / correction2) + eps)
//
// with rest = 1 - beta and g the gradient times `unscale` (1 / loss scale) times min(1, clip / norm), one factor.
//
// Work split: a chunk of the table [chunks, 3] of (segment, start, count) is kParts blocks, so that many more blocks than fit
// at once end at different times; block (c, q) has every kParts-th run of 4,096 elements of chunk c. Numerics: a thread adds
// at most sixteen squares in f32, all beyond that is in double, in an order that follows from the table.
#pragma once
#include "kernel.cuh"

namespace {

constexpr int32_t kDecay = 1, kAdapt = 2, kTrainable = 4;  // graph/segments.ts
constexpr uint32_t kOptimizerThreads = 256;
constexpr uint32_t kParts = 4;       // of a chunk
constexpr uint32_t kPartRun = 4096;  // neighbouring elements of a part

struct Chunk {
  int32_t segment;
  uint32_t start, count;
};

__device__ __forceinline__ Chunk chunk_of(const int32_t* table, uint32_t c) {
  return {table[3 * c], uint32_t(table[3 * c + 1]), uint32_t(table[3 * c + 2])};
}

__device__ __forceinline__ bool is_finite(float v) { return (__float_as_uint(v) & 0x7f800000u) != 0x7f800000u; }

// Calls four(at) for elements at to at + 3 of the arenas and one(at), for what part `part` has of a chunk, and end() after
// each run. `wide`: the arenas begin at multiples of 16 bytes; a chunk itself may begin anywhere.
template <bool kWide, class Four, class One, class End>
__device__ __forceinline__ void each_of_part(const Chunk& chunk, uint32_t part, Four four, One one, End end) {
  const uint32_t t = threadIdx.x;
  for (uint32_t run = part * kPartRun; run < chunk.count; run += kParts * kPartRun) {
    const uint32_t count = chunk.count - run < kPartRun ? chunk.count - run : kPartRun;
    const size_t start = size_t(chunk.start) + run;
    if constexpr (kWide) {
      const uint32_t ahead = uint32_t(4 - start % 4) % 4, head = ahead < count ? ahead : count;
      const uint32_t fours = (count - head) / 4, done = head + 4 * fours;
      if (t < head) one(start + t);
      for (uint32_t i = t; i < fours; i += kOptimizerThreads) four(start + head + 4 * i);
      if (t < count - done) one(start + done + t);
    } else {
      for (uint32_t i = t; i < count; i += kOptimizerThreads) one(start + i);
    }
    end();
  }
}

// ---------------------------------------------------------------- sums in double

__device__ __forceinline__ double shuffle_xor(double v, uint32_t lanes) {
  uint2 words;
  memcpy(&words, &v, sizeof v);
  words.x = __shfl_xor_sync(kWholeWarp, words.x, lanes);
  words.y = __shfl_xor_sync(kWholeWarp, words.y, lanes);
  memcpy(&v, &words, sizeof v);
  return v;
}

// Sum over a block of kThreads, in thread 0; `of_warp` is shared memory that nobody else uses.
template <uint32_t kThreads>
__device__ __forceinline__ double block_sum(double v, double* of_warp) {
#pragma unroll
  for (uint32_t d = kWarp / 2; d > 0; d /= 2) v += shuffle_xor(v, d);
  if (lane() == 0) of_warp[warp()] = v;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0)
    for (uint32_t w = 0; w < kThreads / kWarp; w++) sum += of_warp[w];
  return sum;
}

// ---------------------------------------------------------------- moments

struct OptimizerParams {
  Param<float> beta1, beta2, rest1, rest2, eps, clip, unscale, correction1, correction2;
};

struct Moments {
  float beta1, beta2, rest1, rest2, eps, factor, inverse1, inverse2;

  __device__ __forceinline__ Moments(const OptimizerParams& p, float norm)
      : beta1(p.beta1()),
        beta2(p.beta2()),
        rest1(p.rest1()),
        rest2(p.rest2()),
        eps(p.eps()),
        factor(1.f),
        inverse1(1.f / p.correction1()),
        inverse2(1.f / p.correction2()) {
    const float clip = p.clip();
    if (clip > 0 && norm > clip) factor = clip / norm;
    factor *= p.unscale();
  }

  // Updates the moments of an element and returns the direction of its step.
  __device__ __forceinline__ float update(float gradient, float& moment1, float& moment2) const {
    const float g = gradient * factor;
    moment1 = fmaf(beta1, moment1, rest1 * g);
    moment2 = fmaf(beta2, moment2, rest2 * (g * g));
    return moment1 * inverse1 / (sqrtf(moment2 * inverse2) + eps);
  }
  __device__ __forceinline__ float4 update(float4 g, float4& m, float4& v) const {
    return make_float4(update(g.x, m.x, v.x), update(g.y, m.y, v.y), update(g.z, m.z, v.z), update(g.w, m.w, v.w));
  }
};

struct Arenas {
  float* parameters;
  float* gradients;
  float* moment1;
  float* moment2;

  bool wide() const {
    return (reinterpret_cast<uintptr_t>(parameters) | reinterpret_cast<uintptr_t>(gradients) |
            reinterpret_cast<uintptr_t>(moment1) | reinterpret_cast<uintptr_t>(moment2)) % 16 == 0;
  }
};

}  // namespace
