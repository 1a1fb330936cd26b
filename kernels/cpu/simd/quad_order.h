// The order of operands of 2 x 2 products (simd/quad.h): a register is two neighbouring lines, four steps of K of each, and for each
// four steps the 16 pairs of lines of a panel follow one another. So lines of A and of B lie alike, and nothing is turned: word
//
//   k / 4 x 64 + line / 2 x 4 + line % 2 x 2 + k % 4 / 2      has steps k and k + 1 of a line, k even
//
// Rows of memory become lines by putting halves of registers together, and steps by two rounds of zips.
#pragma once
#include "quad.h"

namespace {

constexpr uint32_t kSumSide = 32;  // a block of C lies by rows
constexpr uint32_t kStepGroup = kQuadSteps;

constexpr uint32_t kEight = 8;  // bf16 in a register

// The first n of eight elements as bf16, zeros behind them.
inline uint16x8_t eight(const float* p, uint32_t n) {
  return vcombine_u16(narrow(load_n(p, n)), n > W ? narrow(load_n(p + W, n - W)) : vdup_n_u16(0));
}
inline uint16x8_t eight(const bf16* p, uint32_t n) {
  if (n >= kEight) return vld1q_u16(bits_of(p));
  uint16_t part[kEight] = {};
  memcpy(part, p, n * sizeof(bf16));
  return vld1q_u16(part);
}

inline uint16x8_t zip_lower(uint16x8_t x, uint16x8_t y) { return vzip1q_u16(x, y); }
inline uint16x8_t zip_upper(uint16x8_t x, uint16x8_t y) { return vzip2q_u16(x, y); }
inline uint16_t* words_at(Pair* panel, uint32_t line, uint32_t k) {
  return reinterpret_cast<uint16_t*>(panel + k / kQuadSteps * kQuadWords + line * (kQuadSteps / 2));
}

// Steps k .. k + 7 of lines `line` and the next.
inline void put_two_lines(Pair* panel, uint32_t line, uint32_t k, uint16x8_t x, uint16x8_t y) {
  const uint64x2_t first = vreinterpretq_u64_u16(x), second = vreinterpretq_u64_u16(y);
  vst1q_u16(words_at(panel, line, k), vreinterpretq_u16_u64(vzip1q_u64(first, second)));
  vst1q_u16(words_at(panel, line, k + kQuadSteps), vreinterpretq_u16_u64(vzip2q_u64(first, second)));
}

// Four steps from k on of lines line .. line + 7, a register for each step.
inline void put_eight_lines(Pair* panel, uint32_t line, uint32_t k, const uint16x8_t (&step)[kQuadSteps]) {
  uint16_t* to = words_at(panel, line, k);
  const uint16x8_t even = zip_lower(step[0], step[2]), odd = zip_lower(step[1], step[3]);
  const uint16x8_t even_up = zip_upper(step[0], step[2]), odd_up = zip_upper(step[1], step[3]);
  vst1q_u16(to, zip_lower(even, odd)), vst1q_u16(to + kEight, zip_upper(even, odd));
  vst1q_u16(to + 2 * kEight, zip_lower(even_up, odd_up)), vst1q_u16(to + 3 * kEight, zip_upper(even_up, odd_up));
}

// 32 steps of `lines` <= 32 lines, which are rows of n <= 32 elements.
template <bool, class T>
inline void lines_to_panel(const T* from, ptrdiff_t row, uint32_t lines, uint32_t n, Pair* to) {
  for (uint32_t i = 0; i < kSide; i += 2)
    for (uint32_t k = 0; k < kSide; k += kEight) {
      const auto line = [&](uint32_t l) { return l < lines && k < n ? eight(from + l * row + k, n - k) : vdupq_n_u16(0); };
      put_two_lines(to, i, k, line(i), line(i + 1));
    }
}

// n <= 32 lines of `steps` <= 32 steps, which are rows.
template <bool, class T>
inline void steps_to_panel(const T* from, ptrdiff_t row, uint32_t steps, uint32_t n, Pair* to) {
  for (uint32_t k = 0; k < kSide; k += kQuadSteps)
    for (uint32_t j = 0; j < kSide; j += kEight) {
      uint16x8_t step[kQuadSteps];
      for (uint32_t i = 0; i < kQuadSteps; i++)
        step[i] = k + i < steps && j < n ? eight(from + (k + i) * row + j, n - j) : vdupq_n_u16(0);
      put_eight_lines(to, j, k, step);
    }
}

// Steps k .. k + W - 1 of a line of A.
inline void put_line(Pair* panel, uint32_t line, uint32_t k, V a) { vst1_u16(words_at(panel, line, k), narrow(a)); }

// Steps k .. k + kStepGroup - 1 of lines from `line` on of B, each in a vector.
inline void put_steps(Pair* panel, uint32_t k, uint32_t line, const V (&a)[kStepGroup]) {
  uint16_t* to = words_at(panel, line, k);
  const uint16x4_t first = narrow(a[0]), second = narrow(a[1]), third = narrow(a[2]), fourth = narrow(a[3]);
  const uint16x8_t even = vcombine_u16(vzip1_u16(first, third), vzip2_u16(first, third));
  const uint16x8_t odd = vcombine_u16(vzip1_u16(second, fourth), vzip2_u16(second, fourth));
  vst1q_u16(to, zip_lower(even, odd)), vst1q_u16(to + kEight, zip_upper(even, odd));
}

}  // namespace
