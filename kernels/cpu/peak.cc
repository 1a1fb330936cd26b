// What the machine can do at best, for benches to compare with: not an op, only measured by bench/support/peak.ts.
//
// peak_multiply_add: y [tasks], each task `steps` multiply-adds of float lanes in independent chains that stay in
// registers, so that nothing but the arithmetic units limits it: tasks x steps x 2 operations.
// peak_copy: y [n] = x [n], with n far beyond the caches: 8 n bytes.
//
// Work split: one task a thread at a time; copy in blocks of 64 Ki floats.
#include "kernel.h"

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

void peak_copy(Team& team, const float* x, float* y, uint32_t n) {
  each_range(team, n, 65536, [&](uint32_t begin, uint32_t end) {
    uint32_t i = begin;
    for (; i + W <= end; i += W) store(y + i, load(x + i));
    if (i < end) store_n(y + i, load_n(x + i, end - i), end - i);
  });
}

}  // namespace

EXPORT_KERNELS(peak, KERNEL(peak_multiply_add), KERNEL(peak_copy))
