// A weight [out,in] as an operand of bf16 products: rounded to bf16, in the same order, which all three products of a dense
// layer read as it lies (product_mma.cuh), so one copy serves backward too. Run once a step; every use of the weight in that
// step reads it, from L2 where a shared block repeats.
//
// Work split: a thread rounds runs of eight elements, in a grid-stride loop. Floor: 6 bytes an element over the bandwidth.
#include "epilogue.cuh"

namespace {

constexpr uint32_t kThreads = 256;

// ---------------------------------------------------------------- forward

template <uint32_t kN>
__global__ void __launch_bounds__(kThreads) pack_kernel(const float* __restrict__ weight, bf16* __restrict__ packed, uint32_t runs) {
  const uint32_t step = gridDim.x * kThreads;
  for (uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < runs; i += step) {
    float v[kN];
    load_run<kN>(weight + size_t(i) * kN, v);
    store_run<kN>(packed + size_t(i) * kN, v);
  }
}

void pack_forward(Launch& launch, Buffer<const float> weight, Buffer<bf16> packed, Param<uint32_t> out, Param<uint32_t> in,
                  [[maybe_unused]] Param<uint32_t> gradient) {
  const uint64_t count = uint64_t(out.most) * in.most;
  const uint32_t run = count % 8 == 0 && aligned_16(weight.data) && aligned_16(packed.data) ? 8 : 1;
  launch(run == 8 ? pack_kernel<8> : pack_kernel<1>, blocks_for(launch, count / run, kThreads), kThreads, 0, weight.data, packed.data,
         uint32_t(count / run));
}

}  // namespace

EXPORT_KERNELS(pack, KERNEL(pack_forward))
