// The same values in another type: f32 to bf16 (`narrow`), rounded to the nearest, or bf16 to f32, exact; i32 to f32, rounded to
// the nearest.
//
// Work split: one task is 16,384 elements.
#include "kernel.h"

namespace {

constexpr uint32_t kPiece = 16384;

template <class X, class Y>
void convert(Team& team, const X* x, Y* y, uint32_t count) {
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) { store_n(y + begin + i, load_n(x + begin + i, n), n); });
  });
}

// ---------------------------------------------------------------- forward

void cast_forward(Team& team, const int32_t* x, float* y, uint32_t count, uint32_t narrow) {
  (void)narrow;
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) y[i] = float(x[i]);
  });
}

void cast_forward_bf16(Team& team, const void* x, void* y, uint32_t count, uint32_t narrow) {
  if (narrow)
    convert(team, static_cast<const float*>(x), static_cast<bf16*>(y), count);
  else
    convert(team, static_cast<const bf16*>(x), static_cast<float*>(y), count);
}

}  // namespace

EXPORT_KERNELS(cast, KERNEL(cast_forward), KERNEL(cast_forward_bf16))
