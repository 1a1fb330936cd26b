// Dropout masks of attention where a thread of a tensor core's tile needs them: bits of keys that are kept.
//
// A block of four random words (philox.cuh) belongs to four neighbouring keys of one query. The first three rounds mix few
// words, so most of them depend on the keys alone or on the query alone: with KeyWords and QueryWords at hand a block costs 15
// wide products instead of 20. A thread draws 8 blocks, which leaves one bit a key, byte w of its word for key w of the four
// and bit j for block j; then lanes trade bytes for the layout of their fragments. `pair_mask` turns bits into masks of bf16.
#pragma once
#include "mma.cuh"
#include "philox.cuh"

namespace {

// Bytes of a (0 to 3) and b (4 to 7), one for each of four nibbles; with 8 in a nibble eight times that byte's highest bit.
__device__ __forceinline__ uint32_t permute_bytes(uint32_t a, uint32_t b, uint32_t nibbles) {
#if defined(__CUDACC__)
  uint32_t r;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(nibbles));
  return r;
#else
  uint32_t r = 0;
  for (uint32_t i = 0; i < 4; i++) {
    const uint32_t n = nibbles >> 4 * i & 15, byte = (n & 4 ? b : a) >> 8 * (n & 3) & 255;
    r |= (n & 8 ? (byte & 128 ? 255 : 0) : byte) << 8 * i;
  }
  return r;
#endif
}

struct KeyWords {
  uint32_t into2, into0, into2_later, into3;
};
struct QueryWords {
  uint32_t high, low;
};

constexpr uint32_t kPhilox0 = 0xD2511F53u, kPhilox1 = 0xCD9E8D57u, kPhiloxStep0 = 0x9E3779B9u, kPhiloxStep1 = 0xBB67AE85u;

__device__ __forceinline__ uint64_t wide(uint32_t a, uint32_t b) { return uint64_t(a) * b; }
__device__ __forceinline__ uint32_t high_of(uint64_t v) { return uint32_t(v >> 32); }

// Keys 4 block to 4 block + 3.
__device__ __forceinline__ KeyWords key_words(const DropoutSite& d, uint32_t block) {
  const uint64_t first = wide(kPhilox0, block), second = wide(kPhilox1, high_of(first) ^ d.draw ^ kPhiloxKey);
  const uint32_t c0 = high_of(second) ^ uint32_t(wide(kPhilox1, d.site)) ^ (d.seed + kPhiloxStep0);
  const uint64_t third = wide(kPhilox0, c0);
  return {uint32_t(first) ^ (kPhiloxKey + kPhiloxStep1), uint32_t(second) ^ (d.seed + 2 * kPhiloxStep0),
          high_of(third) ^ (kPhiloxKey + 2 * kPhiloxStep1), uint32_t(third)};
}
__device__ __forceinline__ QueryWords query_words(const DropoutSite& d, uint32_t plane) {
  const uint64_t second = wide(kPhilox0, high_of(wide(kPhilox1, d.site)) ^ plane ^ d.seed);
  return {high_of(second), uint32_t(second)};
}

// philox(d, block, plane) from what was computed of block and plane.
__device__ __forceinline__ uint4 philox_of(const DropoutSite& d, const KeyWords& k, const QueryWords& q) {
  const uint64_t third = wide(kPhilox1, q.high ^ k.into2);
  uint32_t c0 = high_of(third) ^ k.into0, c1 = uint32_t(third), c2 = q.low ^ k.into2_later, c3 = k.into3;
  uint32_t k0 = d.seed + 3 * kPhiloxStep0, k1 = kPhiloxKey + 3 * kPhiloxStep1;
#pragma unroll
  for (int round = 3; round < 10; round++) {
    const uint64_t a = wide(kPhilox0, c0), b = wide(kPhilox1, c2);
    c0 = high_of(b) ^ c1 ^ k0, c1 = uint32_t(b);
    c2 = high_of(a) ^ c3 ^ k1, c3 = uint32_t(a);
    k0 += kPhiloxStep0, k1 += kPhiloxStep1;
  }
  return make_uint4(c0, c1, c2, c3);
}

// Bit j of byte w: word w is kept.
__device__ __forceinline__ uint32_t kept_bits(const DropoutSite& d, const KeyWords& k, const QueryWords& q, uint32_t j) {
  const uint4 w = philox_of(d, k, q);
  return (w.x >= d.threshold ? 1u << j : 0) | (w.y >= d.threshold ? 256u << j : 0) | (w.z >= d.threshold ? 65536u << j : 0) |
         (w.w >= d.threshold ? 16777216u << j : 0);
}

// The halves of a pair of bf16 that are kept, from bit j of the two bytes that `bytes` names by nibbles (8 | byte, twice each).
__device__ __forceinline__ uint32_t pair_mask(uint32_t bits, uint32_t j, uint32_t bytes) {
  return permute_bytes(bits << (7 - j), 0, bytes);
}
// v if bit j of a byte is set, else 0.
__device__ __forceinline__ float kept_float(float v, uint32_t bits, uint32_t j, uint32_t byte) {
  return __uint_as_float(__float_as_uint(v) & permute_bytes(bits << (7 - j), 0, 0x8888u + 0x1111u * byte));
}

// ---------------------------------------------------------------- queries down, keys across (forward)
// A thread has keys 2t and 2t + 1 of eight, of rows g and g + 8. Even t draws the four keys that it shares with its
// neighbour for row g, odd t for row g + 8.

struct RowBits {
  uint32_t low, high;  // of rows g and g + 8
  uint32_t bytes;      // the thread's two keys of the four
};

__device__ __forceinline__ RowBits trade_rows(uint32_t mine) {
  const uint32_t theirs = __shfl_xor_sync(kWholeWarp, mine, 1u);
  const bool odd = lane() & 1;
  return {odd ? theirs : mine, odd ? mine : theirs, odd ? 0xbbaau : 0x9988u};
}

// ---------------------------------------------------------------- keys down, queries across (backward)
// A thread has keys g and g + 8, of queries 2t and 2t + 1. Lanes of one t whose g are four neighbours have the same four
// blocks, of which lane i = g % 4 draws that of element i: keys of g's half (i / 2), query 2t + i % 2. Then each takes its own key
// of all four: byte i of the result is element i of the fragment.

__device__ __forceinline__ uint32_t trade_columns(uint32_t mine, uint32_t lane) {
  const uint32_t i = lane / 4 % 4;
  const uint32_t two = __shfl_xor_sync(kWholeWarp, mine, 8u);
  const uint32_t half = i & 2 ? permute_bytes(two, mine, 0x7632u) : permute_bytes(mine, two, 0x5410u);
  const uint32_t one = __shfl_xor_sync(kWholeWarp, half, 4u);
  return i & 1 ? permute_bytes(one, half, 0x7351u) : permute_bytes(half, one, 0x6240u);
}

}  // namespace
