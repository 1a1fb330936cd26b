// Transposes of floats by 256-bit vectors, for avx2.h and avx512.h.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace {

constexpr uint32_t kTranspose = 8;

// Transposes `lines` x 8 floats, 8 or 6 lines: to[j * to_row + i] = from[i * from_row + j].
template <uint32_t lines = kTranspose>
inline void transpose(const float* from, ptrdiff_t from_row, float* to, ptrdiff_t to_row) {
  static_assert(lines == 8 || lines == 6, "a line of the result is stored as 8 or as 4 + 2 floats");
  const auto load4 = [&](uint32_t i, uint32_t j) { return i < lines ? _mm_loadu_ps(from + i * from_row + j) : _mm_setzero_ps(); };
  for (uint32_t j = 0; j < 8; j += 4) {
    __m256 r[4];  // lines i and i + 4 side by side
    for (uint32_t i = 0; i < 4; i++) r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(load4(i, j)), load4(i + 4, j), 1);
    const __m256 low0 = _mm256_unpacklo_ps(r[0], r[1]), high0 = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 low2 = _mm256_unpacklo_ps(r[2], r[3]), high2 = _mm256_unpackhi_ps(r[2], r[3]);
    r[0] = _mm256_shuffle_ps(low0, low2, 0x44);
    r[1] = _mm256_shuffle_ps(low0, low2, 0xee);
    r[2] = _mm256_shuffle_ps(high0, high2, 0x44);
    r[3] = _mm256_shuffle_ps(high0, high2, 0xee);
    for (uint32_t i = 0; i < 4; i++) {
      float* p = to + ptrdiff_t(j + i) * to_row;
      if (lines == 8) {
        _mm256_storeu_ps(p, r[i]);
      } else {
        _mm_storeu_ps(p, _mm256_castps256_ps128(r[i]));
        _mm_storel_pi(reinterpret_cast<__m64*>(p + 4), _mm256_extractf128_ps(r[i], 1));
      }
    }
  }
}

}  // namespace
