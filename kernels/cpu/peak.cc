// What the machine can do at best, for benches to compare with: not an op, only measured by src/device/peak.ts.
//
// peak_multiply_add: y [tasks], each task `steps` multiply-adds of float lanes in independent chains that stay in
// registers, so that nothing but the arithmetic units limits it: tasks x steps x 2 operations.
// peak_multiply_add_int8: the same with 8-bit integers, by what simd/dot.h has for them.
// peak_multiply_add_bf16: the same with pairs of bf16 or tiles of them, where there are instructions for these.
// peak_copy: y [n] = x [n], with n far beyond the caches: 8 n bytes.
//
// Work split: one task a thread at a time; copy in blocks of 64 Ki floats.
#include "kernel.h"
#include "simd/dot.h"
#if defined(BIOALBERT_TILES)
#include "tile_pack.h"
#endif

namespace {

// Enough to hide the latency of the units that multiply: two of 4 to 5 cycles each on x86, few enough for 16 registers; four of 4
// cycles on processors with vectors of 128 bits.
constexpr uint32_t kChains = kRegisters >= 32 && W == 4 ? 20 : 12;

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

#if defined(BIOALBERT_TILES_INT8) || defined(BIOALBERT_QUADS)

void peak_multiply_add_int8(Team& team, float* y, uint32_t tasks, uint32_t steps) {
  TileScope scope;
  each(team, tasks, [&](uint32_t task) { y[task] = registers_product_int8(steps / kBlockWords); });
}

#else

// One operand is read again in every step, from another place, as in a product, and serves two chains: what stood in
// registers all the time could be multiplied in front of the loop.
constexpr uint32_t kPlaces = 16;
__attribute__((noinline)) void int8_chains(uint32_t steps, const Quantised* a, const int8_t* b, int32_t* sums) {
  Sums s[kChains];
#pragma GCC unroll 20
  for (uint32_t c = 0; c < kChains; c++) s[c] = load_sums(sums + c * W);
  const auto even = load_weights(b), odd = load_weights(b + kVectorBytes);
  for (uint32_t i = 0; i < steps; i++) {
    const Quantised* place = a + i % kPlaces * kGroup;
#pragma GCC unroll 10
    for (uint32_t c = 0; c < kChains; c += 2) {
      const auto group = load_group(place + c * kGroup);
      s[c] = dot(s[c], group, even);
      s[c + 1] = dot(s[c + 1], group, odd);
    }
  }
#pragma GCC unroll 20
  for (uint32_t c = 0; c < kChains; c++) store_sums(sums + c * W, s[c]);
}

void peak_multiply_add_int8(Team& team, float* y, uint32_t tasks, uint32_t steps) {
  each(team, tasks, [&](uint32_t task) {
    int32_t* sums = reinterpret_cast<int32_t*>(team.scratch());
    Quantised* a = reinterpret_cast<Quantised*>(sums + kChains * W);
    int8_t* b = reinterpret_cast<int8_t*>(a + (kPlaces + kChains) * kGroup);
    for (uint32_t i = 0; i < kChains * W; i++) sums[i] = 0;
    for (uint32_t i = 0; i < (kPlaces + kChains) * kGroup; i++) a[i] = 1;
    for (uint32_t i = 0; i < 2 * kVectorBytes; i++) b[i] = 1;
    int8_chains(steps / (kChains * kVectorBytes), a, b, sums);
    V total = zero();
    for (uint32_t c = 0; c < kChains; c++) total = total + to_floats(sums + c * W);
    y[task] = sum(total);
  });
}

#endif

#if defined(BIOALBERT_TILES)
void peak_multiply_add_bf16(Team& team, float* y, uint32_t tasks, uint32_t steps) {
  TileScope scope;
  each(team, tasks, [&](uint32_t task) { y[task] = registers_product(steps / kBlockWords); });
}
#endif

void peak_copy(Team& team, const float* x, float* y, uint32_t n) {
  each_range(team, n, 65536, [&](uint32_t begin, uint32_t end) {
    uint32_t i = begin;
    for (; i + W <= end; i += W) store(y + i, load(x + i));
    if (i < end) store_n(y + i, load_n(x + i, end - i), end - i);
  });
}

}  // namespace

#if defined(BIOALBERT_INT8_ONLY)  // all others are the base's
EXPORT_KERNELS(peak, KERNEL(peak_multiply_add_int8))
#else
EXPORT_KERNELS(peak, KERNEL(peak_multiply_add), KERNEL(peak_multiply_add_int8),
#if defined(BIOALBERT_TILES)
               KERNEL(peak_multiply_add_bf16),
#endif
               KERNEL(peak_copy))
#endif
