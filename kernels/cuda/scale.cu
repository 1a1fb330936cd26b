// y[i] = x[i] * factor. One thread an element, in a grid-stride loop.
#include "kernel.cuh"

namespace {

constexpr uint32_t kThreads = 256;

// ---------------------------------------------------------------- forward

__global__ void __launch_bounds__(kThreads)
scale_kernel(const float* __restrict__ x, float* __restrict__ y, Param<uint32_t> count, Param<float> factor) {
  const uint32_t n = count();
  const float f = factor();
  const uint32_t step = gridDim.x * kThreads;
  for (uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < n; i += step) y[i] = x[i] * f;
}

void scale_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> count, Param<float> factor) {
  launch(scale_kernel, blocks_for(launch, y.size, kThreads), kThreads, 0, x.data, y.data, count, factor);
}

}  // namespace

EXPORT_KERNELS(scale, KERNEL(scale_forward))
