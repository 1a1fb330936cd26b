// y = x held within [low, high]; dx = dy where low <= x <= high, else 0.
//
// Work split: one task is 16,384 elements. A NaN stays one and gets no gradient.
#include "kernel.h"

namespace {

constexpr uint32_t kPiece = 16384;

// ---------------------------------------------------------------- forward

void clip_forward(Team& team, const float* x, float* y, uint32_t count, float low, float high) {
  const V lo = set1(low), hi = set1(high);
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    vectors(end - begin, [&](uint32_t i, uint32_t n) {
      store_n(y + begin + i, min(hi, max(lo, load_n(x + begin + i, n))), n);  // in this order a NaN stays one
    });
  });
}

// ---------------------------------------------------------------- backward

void clip_backward(Team& team, const float* dy, const float* x, float* dx, uint32_t count, float low, float high) {
  each_range(team, count, kPiece, [&](uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) dx[i] = x[i] >= low && x[i] <= high ? dy[i] : 0.0f;
  });
}

}  // namespace

EXPORT_KERNELS(clip, KERNEL(clip_forward), KERNEL(clip_backward))
