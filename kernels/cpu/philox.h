// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random words from a counter.
//
// Dropout masks are never stored. Word `e % 4` of the block with counter (e / 4, j, stream << 16 | layer, draw) and
// key (seed, kKey) decides element e of plane j: it is kept if the word is at least p * 2^32. `draw` counts forward
// passes, `stream` tells the dropouts of a model apart and `layer` the iterations of a repeat. The WGSL and CUDA
// kernels draw the same words.
#pragma once
#include <stdint.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

constexpr uint32_t kPhiloxKey = 0xB10A1BE7u;

struct DropoutSite {
  uint32_t seed, draw, site;  // site = stream << 16 | layer
  uint32_t threshold;         // p * 2^32
  float scale;                // 1 / (1 - p)
};

inline DropoutSite dropout_site(float p, uint32_t seed, uint32_t draw, uint32_t stream, uint32_t layer) {
  return {seed, draw, stream << 16 | layer, uint32_t(double(p) * 4294967296.0), 1.0f / (1.0f - p)};
}

// Words of the blocks first .. first + 7 of plane j: 32 words, in element order.
#if defined(__AVX512F__)
// A counter's four words in the lower halves of 64 bits each, where a product leaves them; upper halves may hold anything.
inline void philox_blocks8(const DropoutSite& d, uint32_t first, uint32_t j, uint32_t* out) {
  const __m512i m0 = _mm512_set1_epi64(0xD2511F53u), m1 = _mm512_set1_epi64(0xCD9E8D57u);
  __m512i c0 = _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  __m512i c1 = _mm512_set1_epi64(j), c2 = _mm512_set1_epi64(d.site), c3 = _mm512_set1_epi64(d.draw);
  uint32_t k0 = d.seed, k1 = kPhiloxKey;
  constexpr int kXor = 0x96;  // of three operands
  for (int round = 0; round < 10; round++) {
    const __m512i a = _mm512_mul_epu32(m0, c0), b = _mm512_mul_epu32(m1, c2);
    c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(b, 32), c1, _mm512_set1_epi64(k0), kXor);
    c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(a, 32), c3, _mm512_set1_epi64(k1), kXor);
    c1 = b, c3 = a;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  const __m512i low = _mm512_mask_blend_epi32(0xaaaa, c0, _mm512_slli_epi64(c1, 32));
  const __m512i high = _mm512_mask_blend_epi32(0xaaaa, c2, _mm512_slli_epi64(c3, 32));
  const __m512i half = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), other = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
  _mm512_storeu_si512(out, _mm512_permutex2var_epi64(low, half, high));
  _mm512_storeu_si512(out + 16, _mm512_permutex2var_epi64(low, other, high));
}
#else
inline void philox_blocks8(const DropoutSite& d, uint32_t first, uint32_t j, uint32_t* out) {
  uint32_t c0[8], c1[8], c2[8], c3[8];
  for (uint32_t l = 0; l < 8; l++) c0[l] = first + l, c1[l] = j, c2[l] = d.site, c3[l] = d.draw;
  uint32_t k0 = d.seed, k1 = kPhiloxKey;
  for (int round = 0; round < 10; round++) {
    for (uint32_t l = 0; l < 8; l++) {
      const uint64_t a = uint64_t(0xD2511F53u) * c0[l], b = uint64_t(0xCD9E8D57u) * c2[l];
      const uint32_t n0 = uint32_t(b >> 32) ^ c1[l] ^ k0, n2 = uint32_t(a >> 32) ^ c3[l] ^ k1;
      c0[l] = n0, c1[l] = uint32_t(b), c2[l] = n2, c3[l] = uint32_t(a);
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  for (uint32_t l = 0; l < 8; l++) out[4 * l] = c0[l], out[4 * l + 1] = c1[l], out[4 * l + 2] = c2[l], out[4 * l + 3] = c3[l];
}
#endif

// Words of elements [begin, begin + n) of plane j. `begin` is a multiple of 4; `out` has room for n rounded up to 32.
inline void philox_words(const DropoutSite& d, uint32_t begin, uint32_t n, uint32_t j, uint32_t* out) {
  for (uint32_t i = 0; i < n; i += 32) philox_blocks8(d, (begin + i) / 4, j, out + i);
}

}  // namespace
