// What the machine can do at best, for benches to compare with: not an op, only measured by src/device/peak.ts.
//
// peak_multiply_add: y [tasks], each task `steps` multiply-adds of float lanes in independent chains that stay in
// registers, so that nothing but the arithmetic units limits it: tasks x steps x 2 operations.
// peak_multiply_add_int8: the same with 8-bit integers, by what simd/dot.h has for them.
// peak_copy: y [n] = x [n], with n far beyond the caches: 8 n bytes.
//
// Work split: one task a thread at a time; copy in blocks of 64 Ki floats.
#include "kernel.h"
#include "simd/dot.h"

namespace {

// Enough to hide the latency of two units (4 to 5 cycles each), few enough for 16 registers.
constexpr uint32_t kChains = 12;

void peak_multiply_add(Team& team, float* y, uint32_t tasks, uint32_t steps) {
  each(team, tasks, [&](uint32_t task) {
    // The factors come from memory, so that the compiler cannot know them: y was zeroed, a factor is 0.999...
    const V factor = set1(y[task] * 0.0f + 0.9999f);
    const V addend = set1(y[task] * 0.0f + 0.0001f);
    V a[kChains];
    for (uint32_t c = 0; c < kChains; c++) a[c] = set1(float(c));
    for (uint32_t i = 0; i < steps / (kChains * W); i++) {
      for (uint32_t c = 0; c < kChains; c++) a[c] = fma(a[c], factor, addend);
    }
    V total = zero();
    for (uint32_t c = 0; c < kChains; c++) total = total + a[c];
    y[task] = sum(total);
  });
}

void peak_multiply_add_int8(Team& team, float* y, uint32_t tasks, uint32_t steps) {
  each(team, tasks, [&](uint32_t task) {
    // One operand of each chain is read again in every step, as in a product: what stood in registers all the time could be
    // multiplied in front of the loop.
    int32_t* memory = reinterpret_cast<int32_t*>(team.scratch());
    Quantised* a = reinterpret_cast<Quantised*>(memory + W);
    int8_t* b = reinterpret_cast<int8_t*>(a + kChains * kGroup);
    for (uint32_t i = 0; i < W; i++) memory[i] = 0;
    for (uint32_t i = 0; i < kChains * kGroup; i++) a[i] = 1;
    for (uint32_t i = 0; i < kVectorBytes; i++) b[i] = 1;
    Sums s[kChains];
    for (uint32_t c = 0; c < kChains; c++) s[c] = load_sums(memory);
    const auto weights = load_weights(b);
    for (uint32_t i = 0; i < steps / (kChains * kVectorBytes); i++) {
      asm volatile("" ::: "memory");
#pragma GCC unroll 12
      for (uint32_t c = 0; c < kChains; c++) s[c] = dot(s[c], load_group(a + c * kGroup), weights);
    }
    V total = zero();
#pragma GCC unroll 12
    for (uint32_t c = 0; c < kChains; c++) {
      store_sums(memory, s[c]);
      total = total + to_floats(memory);
    }
    y[task] = sum(total);
  });
}

void peak_copy(Team& team, const float* x, float* y, uint32_t n) {
  each_range(team, n, 65536, [&](uint32_t begin, uint32_t end) {
    uint32_t i = begin;
    for (; i + W <= end; i += W) store(y + i, load(x + i));
    if (i < end) store_n(y + i, load_n(x + i, end - i), end - i);
  });
}

}  // namespace

#if defined(BIOALBERT_ISA_AVX512_VNNI)  // all others are the base's
EXPORT_KERNELS(peak, KERNEL(peak_multiply_add_int8))
#else
EXPORT_KERNELS(peak, KERNEL(peak_multiply_add), KERNEL(peak_multiply_add_int8), KERNEL(peak_copy))
#endif
