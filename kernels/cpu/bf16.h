// bf16 as a storage type: the upper half of a float, rounded to the nearest (ties to even) when it is stored. Nothing is
// computed in it: a load gives floats. The vector versions of loads and stores stand in simd/.
#pragma once
#include <stdint.h>
#include <string.h>

namespace {

struct bf16 {
  uint16_t bits;
};

inline float to_float(float x) { return x; }
inline float to_float(bf16 x) {
  const uint32_t u = uint32_t(x.bits) << 16;
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

inline bf16 to_bf16(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;  // an infinity stays one
  return {uint16_t((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded)};  // a NaN stays quiet and one
}

inline void put(float* p, float x) { *p = x; }
inline void put(bf16* p, float x) { *p = to_bf16(x); }

}  // namespace
