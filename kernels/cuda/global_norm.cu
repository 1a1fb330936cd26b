// norm[0] = sqrt(sum of (unscale gradients[i])^2) over the chunks of a table [chunks, 3] of (segment, start, count).
//
// Work split: four blocks a chunk (optimizer.cuh), each leaving one double; then one block adds these, thread t every
// 1,024th, threads as a tree. Infinite or NaN gradients, and squares that overflow, make the norm not finite.
// Floor: 4 bytes an element.
#include "optimizer.cuh"

namespace {

constexpr uint32_t kAdders = 1024;

// ---------------------------------------------------------------- forward

template <bool kWide>
__global__ void __launch_bounds__(kOptimizerThreads)
sum_squares(const float* __restrict__ gradients, const int32_t* __restrict__ table, double* __restrict__ partial,
            Param<uint32_t> chunk_count, Param<float> unscale) {
  struct Shared {
    double of_warp[kOptimizerThreads / kWarp];
  };
  const uint32_t c = blockIdx.x, part = blockIdx.y;
  if (c >= chunk_count()) return;
  const float factor = unscale();
  double sum = 0;
  float4 s = make_float4(0.f, 0.f, 0.f, 0.f);
  each_of_part<kWide>(
      chunk_of(table, c), part,
      [&](size_t at) {
        float4 g = load4(gradients + at);
        g = make_float4(g.x * factor, g.y * factor, g.z * factor, g.w * factor);
        s = make_float4(fmaf(g.x, g.x, s.x), fmaf(g.y, g.y, s.y), fmaf(g.z, g.z, s.z), fmaf(g.w, g.w, s.w));
      },
      [&](size_t at) {
        const float g = gradients[at] * factor;
        s.x = fmaf(g, g, s.x);
      },
      [&] {
        sum += double(s.x + s.y) + double(s.z + s.w);
        s = make_float4(0.f, 0.f, 0.f, 0.f);
      });
  sum = block_sum<kOptimizerThreads>(sum, shared_as<Shared>().of_warp);
  if (threadIdx.x == 0) partial[c * kParts + part] = sum;
}

__global__ void __launch_bounds__(kAdders)
add_squares(const double* __restrict__ partial, float* __restrict__ norm, Param<uint32_t> chunk_count) {
  struct Shared {
    double of_warp[kAdders / kWarp];
  };
  const uint32_t n = chunk_count() * kParts;
  double sum = 0;
#pragma unroll 8
  for (uint32_t i = threadIdx.x; i < n; i += kAdders) sum += partial[i];
  sum = block_sum<kAdders>(sum, shared_as<Shared>().of_warp);
  if (threadIdx.x == 0) *norm = float(sqrt(sum));
}

void global_norm_forward(Launch& launch, Buffer<const float> gradients, Buffer<const int32_t> table, Buffer<float> norm,
                         [[maybe_unused]] Buffer<double> partial, Param<uint32_t> chunk_count, Param<float> unscale) {
  const uint32_t chunks = uint32_t(table.size / 3);
  double* sums = launch.scratch<double>(size_t(chunks) * kParts);
  const bool wide = reinterpret_cast<uintptr_t>(gradients.data) % 16 == 0;
  launch(wide ? sum_squares<true> : sum_squares<false>, Grid(chunks, kParts), kOptimizerThreads,
         kOptimizerThreads / kWarp * sizeof(double), gradients.data, table.data, sums, chunk_count,
         unscale);
  launch(add_squares, 1, kAdders, kAdders / kWarp * sizeof(double), sums, norm.data, chunk_count);
}

}  // namespace

EXPORT_KERNELS(global_norm, KERNEL(global_norm_forward))
