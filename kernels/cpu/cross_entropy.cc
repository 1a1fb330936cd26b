// Cross-entropy of rows of logits.
//
//   lse[n] = log sum_c exp(logits[n,c]),   loss[n] = lse[n] - logits[n,labels[n]]
//
// Work split: one task is a run of whole rows, about 16,384 logits.
// Numerics: the largest logit is subtracted first. A label below 0 gives loss 0 and no gradient; one past the last
// class gives NaN, so that it is noticed.
// Saved for backward: lse.
#include "kernel.h"

namespace {

template <class F>
void each_row(Team& team, uint32_t rows, uint32_t classes, F f) {
  each_range(team, rows, 16384 / (classes + 1) + 1, [&](uint32_t begin, uint32_t end) {
    for (uint32_t n = begin; n < end; n++) f(n);
  });
}

// ---------------------------------------------------------------- forward

void cross_entropy_forward(Team& team, const float* logits, const int32_t* labels, float* loss, float* lse, float* correct,
                           uint32_t rows, uint32_t classes) {
  each_row(team, rows, classes, [&](uint32_t n) {
    const float* x = logits + size_t(n) * classes;
    const int32_t label = labels[n];
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++)
      if (x[c] > x[best]) best = c;
    const V m = set1(x[best]);
    V s = zero();
    uint32_t c = 0;
    for (; c + W <= classes; c += W) s = s + exp(load(x + c) - m);
    float total = sum(s);
    for (; c < classes; c++) total += expf(x[c] - x[best]);
    const float l = logf(total);
    lse[n] = x[best] + l;
    loss[n] = label < 0 ? 0.0f : uint32_t(label) < classes ? l + (x[best] - x[label]) : NAN;
    correct[n] = label >= 0 && best == uint32_t(label) ? 1.0f : 0.0f;
  });
}

// ---------------------------------------------------------------- backward
// dlogits[n,c] = dloss[n] (exp(logits[n,c] - lse[n]) - [c = labels[n]])

void cross_entropy_backward(Team& team, const float* dloss, const float* logits, const int32_t* labels, const float* lse,
                            float* dlogits, uint32_t rows, uint32_t classes) {
  each_row(team, rows, classes, [&](uint32_t n) {
    const float* x = logits + size_t(n) * classes;
    float* dx = dlogits + size_t(n) * classes;
    if (labels[n] < 0) {
      memset(dx, 0, classes * sizeof(float));
      return;
    }
    const V d = set1(dloss[n]), l = set1(lse[n]);
    vectors(classes, [&](uint32_t c, uint32_t k) { store_n(dx + c, d * exp(load_n(x + c, k) - l), k); });
    if (uint32_t(labels[n]) < classes) dx[labels[n]] -= dloss[n];
  });
}

}  // namespace

EXPORT_KERNELS(cross_entropy, KERNEL(cross_entropy_forward), KERNEL(cross_entropy_backward))
