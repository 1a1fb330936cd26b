// Cross-entropy of rows of logits.
//
//   lse[n] = log sum_c exp(logits[n,c]),   loss[n] = lse[n] - logits[n,labels[n]]
//
// Work split: class_rows.cuh; a long row goes by once, each thread with its own largest logit so far, to which its sum is
// scaled (Milakov and Gimelshein 2018). Backward, a thread has one element, or four where classes are a multiple of four.
// Numerics: the largest logit is subtracted first. A label below 0 gives loss 0 and no gradient; one past the last class
// gives NaN, so that it is noticed.
// Saved for backward: lse. The floor is 4 bytes a logit, backward 8.
#include "class_rows.cuh"
#include "elementwise.cuh"

namespace {

// ---------------------------------------------------------------- forward

// By one lane of a row: m its largest logit, at `best` first, sum the exponentials less m.
__device__ __forceinline__ void put_loss(uint32_t row, const float* logits, int32_t label, uint32_t classes, float m, float sum,
                                         uint32_t best, float* loss, float* lse, float* correct) {
  const float l = logf(sum);
  lse[row] = m + l;
  loss[row] = label < 0 ? 0.f : uint32_t(label) < classes ? l + (m - logits[label]) : NAN;
  correct[row] = label >= 0 && best == uint32_t(label) ? 1.f : 0.f;
}

template <class Shape>
__global__ void __launch_bounds__(kRowThreads)
cross_entropy_kernel(const float* logits, const int32_t* labels, float* loss, float* lse, float* correct, Param<uint32_t> rows,
                     uint32_t classes) {
  constexpr uint32_t kLanes = Shape::kLanes, kEach = Shape::kEach;
  each_row<Shape>(rows(), [&](uint32_t row, uint32_t l, bool there) {
    const float* from = logits + size_t(row) * classes;
    float v[kEach], m = -INFINITY, sum = 0;
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) v[j] = there && j * kLanes + l < classes ? from[j * kLanes + l] : -INFINITY;
    uint32_t best = 0;
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++)
      if (v[j] > m) m = v[j], best = j * kLanes + l;
    const float most = lanes_max<kLanes>(m), shift = shift_of(most);
    best = lanes_min<kLanes>(m == most ? best : classes);
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) sum += expf(v[j] - shift);
    sum = lanes_sum<kLanes>(sum);
    if (there && l == 0) put_loss(row, from, labels[row], classes, most, sum, best, loss, lse, correct);
  });
}

template <uint32_t kThreads>
struct LossShared {
  float partial[kThreads / kWarp];
  uint32_t place[kThreads / kWarp];
};

template <uint32_t kThreads>
__global__ void __launch_bounds__(kThreads)
cross_entropy_long_kernel(const float* logits, const int32_t* labels, float* loss, float* lse, float* correct, Param<uint32_t> rows,
                          uint32_t classes) {
  constexpr uint32_t kAhead = 8;
  LossShared<kThreads>& shared = shared_as<LossShared<kThreads>>();
  const uint32_t n = rows();
  for (uint32_t row = blockIdx.x; row < n; row += gridDim.x) {
    const float* from = logits + size_t(row) * classes;
    float m = -INFINITY, sum = 0;
    uint32_t best = 0;
    for (uint32_t c = threadIdx.x; c < classes; c += kAhead * kThreads) {
      float v[kAhead], most = -INFINITY;
#pragma unroll
      for (uint32_t j = 0; j < kAhead; j++) v[j] = c + j * kThreads < classes ? from[c + j * kThreads] : -INFINITY;
#pragma unroll
      for (uint32_t j = 0; j < kAhead; j++) most = fmaxf(most, v[j]);
      if (most > m) {
        sum *= expf(m - most);
        m = most;
        bool found = false;
#pragma unroll
        for (uint32_t j = 0; j < kAhead; j++)
          if (!found && v[j] == most) found = true, best = c + j * kThreads;
      }
      const float shift = shift_of(m);
#pragma unroll
      for (uint32_t j = 0; j < kAhead; j++) sum += expf(v[j] - shift);
    }
    const float most = block_max<kThreads>(m, shared.partial);
    best = block_min<kThreads>(m == most ? best : classes, shared.place);
    sum = block_sum<kThreads>(sum * expf(m - shift_of(most)), shared.partial);
    if (threadIdx.x == 0) put_loss(row, from, labels[row], classes, most, sum, best, loss, lse, correct);
  }
}

void cross_entropy_forward(Launch& launch, Buffer<const float> logits, Buffer<const int32_t> labels, Buffer<float> loss,
                           Buffer<float> lse, Buffer<float> correct, Param<uint32_t> rows, Param<uint32_t> classes) {
  const uint32_t width = classes.most;
  if (width <= kLongest)
    return with_row_shape(width, [&](auto shape) {
      launch(cross_entropy_kernel<decltype(shape)>, row_blocks(launch, shape, loss.size), kRowThreads, 0, logits.data, labels.data,
             loss.data, lse.data, correct.data, rows, width);
    });
  const uint32_t threads = width <= 8192 ? 256 : 512;
  const auto kernel = threads == 256 ? cross_entropy_long_kernel<256> : cross_entropy_long_kernel<512>;
  const size_t shared = threads == 256 ? sizeof(LossShared<256>) : sizeof(LossShared<512>);
  launch(kernel, blocks_for(launch, loss.size, 1, 2048 / threads), threads, shared, logits.data, labels.data, loss.data, lse.data,
         correct.data, rows, width);
}

// ---------------------------------------------------------------- backward
// dlogits[n,c] = dloss[n] (exp(logits[n,c] - lse[n]) - [c = labels[n]])

template <bool kWide>
__global__ void __launch_bounds__(kElementwise)
cross_entropy_gradient_kernel(const float* dloss, const float* logits, const int32_t* labels, const float* lse, float* dlogits,
                              Param<uint32_t> rows, uint32_t classes) {
  each_element<kWide>(
      rows() * classes,
      [&](uint32_t e) {
        const uint32_t row = e / classes, c = e - row * classes;
        const int32_t label = labels[row];
        const float4 v = load4(logits + e);
        const float d = dloss[row], l = lse[row];
        const uint32_t hit = uint32_t(label) - c;
        const auto one = [&](float x, uint32_t j) { return d * (expf(x - l) - (hit == j ? 1.f : 0.f)); };
        store4(dlogits + e, label < 0 ? make_float4(0.f, 0.f, 0.f, 0.f) : make_float4(one(v.x, 0), one(v.y, 1), one(v.z, 2), one(v.w, 3)));
      },
      [&](uint32_t e) {
        const uint32_t row = e / classes, c = e - row * classes;
        const int32_t label = labels[row];
        dlogits[e] = label < 0 ? 0.f : dloss[row] * (expf(logits[e] - lse[row]) - (uint32_t(label) == c ? 1.f : 0.f));
      });
}

void cross_entropy_backward(Launch& launch, Buffer<const float> dloss, Buffer<const float> logits, Buffer<const int32_t> labels,
                            Buffer<const float> lse, Buffer<float> dlogits, Param<uint32_t> rows, Param<uint32_t> classes) {
  if (dlogits.size == 0) return;
  const bool wide = classes.most % 4 == 0 && is_wide(logits.data) && is_wide(dlogits.data);
  const auto kernel = wide ? cross_entropy_gradient_kernel<true> : cross_entropy_gradient_kernel<false>;
  launch(kernel, element_blocks(launch, dlogits.size), kElementwise, 0, dloss.data, logits.data, labels.data, lse.data, dlogits.data,
         rows, classes.most);
}

}  // namespace

EXPORT_KERNELS(cross_entropy, KERNEL(cross_entropy_forward), KERNEL(cross_entropy_backward))
