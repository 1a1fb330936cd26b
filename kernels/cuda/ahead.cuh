// Loops whose loads do not wait for each other: a thread asks for several elements before it uses the first. The compiler
// does not do that by itself where a store in the loop might change what is loaded next.
#pragma once
#include "kernel.cuh"

namespace {

// use(i, load(i)) for i = first, first + step, ... before `end`, in this order, with kAhead loads at a time.
template <uint32_t kAhead, class Load, class Use>
__device__ __forceinline__ void ahead(uint32_t first, uint32_t end, uint32_t step, Load load, Use use) {
  uint32_t i = first;
  for (; i < end && end - i > (kAhead - 1) * step; i += kAhead * step) {
    decltype(load(i)) v[kAhead];
#pragma unroll
    for (uint32_t j = 0; j < kAhead; j++) v[j] = load(i + j * step);
#pragma unroll
    for (uint32_t j = 0; j < kAhead; j++) use(i + j * step, v[j]);
  }
  if (i >= end) return;
  decltype(load(i)) v[kAhead - 1];
#pragma unroll
  for (uint32_t j = 0; j < kAhead - 1; j++)
    if (j * step < end - i) v[j] = load(i + j * step);
#pragma unroll
  for (uint32_t j = 0; j < kAhead - 1; j++)
    if (j * step < end - i) use(i + j * step, v[j]);
}

}  // namespace
