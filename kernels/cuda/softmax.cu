// Softmax over the last dimension, or its logarithm.
//
//   y[n,c] = exp(x[n,c] - m[n]) / sum_c exp(x[n,c] - m[n]),   m[n] = max_c x[n,c]
//   log:  y[n,c] = (x[n,c] - m[n]) - log sum_c exp(x[n,c] - m[n])
//
// Work split: class_rows.cuh. A long row is kept in shared memory if it fits, else read again, from L2 as a rule, since
// there are only as many blocks as rows of which fit there.
// Numerics: a row whose values are all -inf gives zeros (log: -inf), not NaN; a NaN makes its row NaN.
// Saved for backward: y. The floor is 8 bytes an element, backward 12.
#include "class_rows.cuh"

namespace {

// What is kept of a long row follows this struct.
struct RowShared {
  float partial[32];
  __device__ float* kept() { return reinterpret_cast<float*>(this + 1); }
};

// ---------------------------------------------------------------- forward

__device__ __forceinline__ float log_of(float sum) { return sum == 0.f ? 0.f : logf(sum); }
__device__ __forceinline__ float factor_of(float sum) { return sum == 0.f ? 0.f : 1.f / sum; }

template <class Shape>
__global__ void __launch_bounds__(kRowThreads)
softmax_kernel(const float* x, float* y, Param<uint32_t> rows, uint32_t columns, bool log) {
  constexpr uint32_t kLanes = Shape::kLanes, kEach = Shape::kEach;
  each_row<Shape>(rows(), [&](uint32_t row, uint32_t l, bool there) {
    const float* from = x + size_t(row) * columns;
    float* to = y + size_t(row) * columns;
    float v[kEach], m = -INFINITY, sum = 0;
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) v[j] = there && j * kLanes + l < columns ? from[j * kLanes + l] : -INFINITY;
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) m = fmaxf(m, v[j]);
    m = shift_of(lanes_max<kLanes>(m));
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) {
      const float e = expf(v[j] - m);
      sum += e;
      v[j] = log ? v[j] - m : e;
    }
    sum = lanes_sum<kLanes>(sum);
    const float back = log ? log_of(sum) : 0.f, by = log ? 1.f : factor_of(sum);
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++)
      if (there && j * kLanes + l < columns) to[j * kLanes + l] = log ? v[j] - back : v[j] * by;
  });
}

template <uint32_t kThreads, bool kKept>
__global__ void __launch_bounds__(kThreads)
softmax_long_kernel(const float* x, float* y, Param<uint32_t> rows, uint32_t columns, bool log) {
  RowShared& shared = shared_as<RowShared>();
  float* kept = shared.kept();
  const uint32_t n = rows();
  for (uint32_t row = blockIdx.x; row < n; row += gridDim.x) {
    const float* from = x + size_t(row) * columns;
    float* to = y + size_t(row) * columns;
    const auto load = [&](uint32_t c) { return from[c]; };
    const auto again = [&](uint32_t c) { return kKept ? kept[c] : from[c]; };  // a thread keeps what it comes back to
    float m = -INFINITY, sum = 0;
    ahead<8>(threadIdx.x, columns, kThreads, load, [&](uint32_t c, float v) {
      if (kKept) kept[c] = v;
      m = fmaxf(m, v);
    });
    m = shift_of(block_max<kThreads>(m, shared.partial));
    ahead<8>(threadIdx.x, columns, kThreads, again, [&](uint32_t c, float v) {
      const float e = expf(v - m);
      if (kKept && !log) kept[c] = e;
      sum += e;
    });
    sum = block_sum<kThreads>(sum, shared.partial);
    if (log) {
      const float back = log_of(sum);
      ahead<8>(threadIdx.x, columns, kThreads, again, [&](uint32_t c, float v) { to[c] = (v - m) - back; });
    } else {
      const float by = factor_of(sum);
      ahead<8>(threadIdx.x, columns, kThreads, again, [&](uint32_t c, float v) { to[c] = (kKept ? v : expf(v - m)) * by; });
    }
  }
}

// Launches a kernel of long rows: blocks as many as are on the chip at a time, whose rows (`read` bytes a column are read
// again) take no more than about half of L2.
template <class Kernel, class... Args>
void record_long(Launch& launch, Kernel kernel, uint32_t threads, bool is_kept, size_t rows, uint32_t columns, uint32_t read, Args... args) {
  const size_t shared = sizeof(RowShared) + (is_kept ? columns * sizeof(float) : 0);
  size_t together = 2048 / threads;
  if (is_kept && launch.chip().shared_bytes / shared < together) together = launch.chip().shared_bytes / shared;
  const size_t again = size_t(columns) * read * launch.chip().multiprocessors;
  if (again > 0 && launch.chip().l2_bytes > 0 && launch.chip().l2_bytes / 2 / again < together) together = launch.chip().l2_bytes / 2 / again;
  launch(kernel, blocks_for(launch, rows, 1, uint32_t(together > 0 ? together : 1)), threads, shared, args...);
}

bool fits(const Launch& launch, uint32_t columns) {
  return sizeof(RowShared) + columns * sizeof(float) <= launch.chip().shared_bytes;
}

void softmax_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> rows, Param<uint32_t> columns,
                     Param<uint32_t> log) {
  const uint32_t width = columns.most;
  const bool is_log = log.most != 0;
  if (y.size == 0) return;
  const size_t most = y.size / width;
  if (width <= kLongest)
    return with_row_shape(width, [&](auto shape) {
      launch(softmax_kernel<decltype(shape)>, row_blocks(launch, shape, most), kRowThreads, 0, x.data, y.data, rows, width, is_log);
    });
  const bool kept = fits(launch, width);
  const uint32_t threads = width <= 8192 ? 256 : 1024;
  const auto kernel = threads == 256 ? (kept ? softmax_long_kernel<256, true> : softmax_long_kernel<256, false>)
                                     : (kept ? softmax_long_kernel<1024, true> : softmax_long_kernel<1024, false>);
  record_long(launch, kernel, threads, kept, most, width, kept ? 0 : 4, x.data, y.data, rows, width, is_log);
}

// ---------------------------------------------------------------- backward
// dx = y (dy - sum_c dy y);   log: dx = dy - exp(y) sum_c dy

__device__ __forceinline__ float part_of(float d, float v, bool log) { return log ? d : d * v; }
__device__ __forceinline__ float gradient_of(float d, float v, float sum, bool log) { return log ? d - expf(v) * sum : v * (d - sum); }

template <class Shape>
__global__ void __launch_bounds__(kRowThreads)
softmax_gradient_kernel(const float* dy, const float* y, float* dx, Param<uint32_t> rows, uint32_t columns, bool log) {
  constexpr uint32_t kLanes = Shape::kLanes, kEach = Shape::kEach;
  each_row<Shape>(rows(), [&](uint32_t row, uint32_t l, bool there) {
    const size_t start = size_t(row) * columns;
    float d[kEach], v[kEach], sum = 0;
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) {
      const bool inside = there && j * kLanes + l < columns;
      d[j] = inside ? dy[start + j * kLanes + l] : 0.f;
      v[j] = inside ? y[start + j * kLanes + l] : 0.f;
    }
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++) sum += part_of(d[j], v[j], log);
    sum = lanes_sum<kLanes>(sum);
#pragma unroll
    for (uint32_t j = 0; j < kEach; j++)
      if (there && j * kLanes + l < columns) dx[start + j * kLanes + l] = gradient_of(d[j], v[j], sum, log);
  });
}

// Keeps dy; y is read again.
template <uint32_t kThreads, bool kKept>
__global__ void __launch_bounds__(kThreads)
softmax_gradient_long_kernel(const float* dy, const float* y, float* dx, Param<uint32_t> rows, uint32_t columns, bool log) {
  RowShared& shared = shared_as<RowShared>();
  float* kept = shared.kept();
  const uint32_t n = rows();
  for (uint32_t row = blockIdx.x; row < n; row += gridDim.x) {
    const size_t start = size_t(row) * columns;
    float sum = 0;
    ahead<4>(
        threadIdx.x, columns, kThreads,
        [&](uint32_t c) { return make_float2(dy[start + c], log ? 0.f : y[start + c]); },
        [&](uint32_t c, float2 v) {
          if (kKept) kept[c] = v.x;
          sum += part_of(v.x, v.y, log);
        });
    sum = block_sum<kThreads>(sum, shared.partial);
    ahead<4>(
        threadIdx.x, columns, kThreads,
        [&](uint32_t c) { return make_float2(kKept ? kept[c] : dy[start + c], y[start + c]); },
        [&](uint32_t c, float2 v) { dx[start + c] = gradient_of(v.x, v.y, sum, log); });
  }
}

void softmax_backward(Launch& launch, Buffer<const float> dy, Buffer<const float> y, Buffer<float> dx, Param<uint32_t> rows,
                      Param<uint32_t> columns, Param<uint32_t> log) {
  const uint32_t width = columns.most;
  const bool is_log = log.most != 0;
  if (dx.size == 0) return;
  const size_t most = dx.size / width;
  if (width <= kLongest)
    return with_row_shape(width, [&](auto shape) {
      launch(softmax_gradient_kernel<decltype(shape)>, row_blocks(launch, shape, most), kRowThreads, 0, dy.data, y.data, dx.data, rows,
             width, is_log);
    });
  const bool kept = fits(launch, width);
  const uint32_t threads = width <= 8192 ? 256 : 1024;
  const auto kernel = threads == 256 ? (kept ? softmax_gradient_long_kernel<256, true> : softmax_gradient_long_kernel<256, false>)
                                     : (kept ? softmax_gradient_long_kernel<1024, true> : softmax_gradient_long_kernel<1024, false>);
  record_long(launch, kernel, threads, kept, most, width, kept ? 4 : 8, dy.data, y.data, dx.data, rows, width, is_log);
}

}  // namespace

EXPORT_KERNELS(softmax, KERNEL(softmax_forward), KERNEL(softmax_backward))
