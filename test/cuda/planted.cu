// Kernels with planted bugs, which the emulator must find, and the same kernels without. Every entry point computes
// y = a b: a is [64 x K], b [64 x K] (or [K x 64]) in bf16, y [64 x 64] in f32; or, in the last part, sums.
#include "wgmma.cuh"

namespace {

enum Bug : uint32_t {
  kNone,
  kWrongPhase,      // of the full barrier
  kNoEmptyWait,     // the producer does not wait for its stage
  kEarlyRelease,    // the consumer gives a stage back before its wgmma have read it
  kNoWait,          // accumulators are read without wgmma_wait
  kNoFence,         // accumulators are written without wgmma_fence
  kWrongSwizzle,    // of a descriptor
  kWrongStride,     // of a descriptor
  kWrongFragment,   // rows of d
  kWrongBytes,      // expected by the barrier
  kNoInitFence,     // of the mbarriers
  kNoInitSync,
  kNoProxyFence,    // behind ordinary stores of an operand
  kStagePast,       // a stage further than there are
  kOneWarp,         // leaves a wgmma out
  kWrongA,          // fragment of a in registers
  kNoSyncthreads,
  kNoSyncwarp,
  kOffByOne,
  kTwoBlocks,
};

constexpr uint32_t kM = 64, kN = 64, kK = 64, kStages = 3, kBytes = (kM + kN) * kK * 2;

struct Shared {
  alignas(1024) bf16 a[kStages][kM * kK];
  alignas(1024) bf16 b[kStages][kN * kK];
  Mbarrier full[kStages], empty[kStages];
};

template <Bug bug>
__device__ void store(const float (&d)[kN / 2], float* y) {
  const uint32_t g = lane() / 4, t = lane() % 4;
#pragma unroll
  for (uint32_t i = 0; i < kN / 2; i++) {
    const uint32_t half = bug == kWrongFragment ? i % 2 * 8 : i / 2 % 2 * 8;
    const uint32_t odd = bug == kWrongFragment ? i / 2 % 2 : i % 2;
    y[(warp() * 16 + g + half) * kN + i / 4 * 8 + 2 * t + odd] = d[i];
  }
}

// A warpgroup multiplies what a warp lets the copy engine bring. `kMajor` of both operands.
template <Bug bug, Major kMajor>
__global__ void __launch_bounds__(kWarpgroup + kWarp, 1)
pipeline_kernel(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float* y, uint32_t steps) {
#if defined(BIOALBERT_HOPPER)
  Shared& s = shared_as<Shared>();
  if (threadIdx.x == 0) {
    for (uint32_t i = 0; i < kStages; i++) {
      mbarrier_init(s.full[i], 1);
      mbarrier_init(s.empty[i], 4);
    }
    if (bug != kNoInitFence) mbarrier_fence_init();
  }
  if (bug != kNoInitSync) __syncthreads();
  if (warp() == kWarpgroup / kWarp) {
    if (!elect_one()) return;
    for (uint32_t k = 0; k < steps; k++) {
      const uint32_t stage = k % kStages, turn = k / kStages;
      if (bug != kNoEmptyWait) mbarrier_wait(s.empty[stage], (turn + 1) % 2);
      mbarrier_arrive_expect(s.full[stage], bug == kWrongBytes ? kBytes + 128 : kBytes);
      const int32_t along = int32_t(k * kK);
      bf16* to = bug == kStagePast ? s.b[stage + 1] : s.b[stage];
      tma_load(s.a[stage], a, s.full[stage], kMajor == Major::k ? along : 0, kMajor == Major::k ? 0 : along);
      tma_load(to, b, s.full[stage], kMajor == Major::k ? along : 0, kMajor == Major::k ? 0 : along);
    }
    return;
  }
  float d[kN / 2];
  if (bug == kNoFence) wgmma_fence(d);
  for (uint32_t k = 0; k < steps; k++) {
    const uint32_t stage = k % kStages, turn = k / kStages;
    mbarrier_wait(s.full[stage], bug == kWrongPhase ? (turn + 1) % 2 : turn % 2);
    const Swizzle swizzle = bug == kWrongSwizzle ? Swizzle::none : Swizzle::b128;
    const uint32_t stride = bug == kWrongStride ? 512 : 1024;
    const uint64_t at_a = descriptor(s.a[stage], 0, stride, Swizzle::b128), at_b = descriptor(s.b[stage], 0, 1024, swizzle);
    if (bug != kNoFence) wgmma_fence(d);
    for (uint32_t i = 0; i < kK / 16; i++) {
      const uint32_t bytes = kMajor == Major::k ? i * 32 : i * 2048;
      wgmma<kN, kMajor, kMajor>(d, further(at_a, bytes), further(at_b, bytes), k > 0 || i > 0);
    }
    if (bug == kOneWarp && warp() != 1) wgmma<kN, kMajor, kMajor>(d, at_a, at_b, true);
    wgmma_commit();
    if (bug == kEarlyRelease && lane() == 0) mbarrier_arrive(s.empty[stage]);
    if (bug != kNoWait) wgmma_wait<0>(d);
    if (bug == kNoWait) d[0] += 1;
    if (bug != kEarlyRelease && lane() == 0) mbarrier_arrive(s.empty[stage]);
  }
  store<bug>(d, y);
#endif
}

// b is put into its place by ordinary stores, a is in registers. One step.
template <Bug bug>
__global__ void __launch_bounds__(kWarpgroup, 1) stores_kernel(const bf16* a, const bf16* b, float* y, uint32_t k_size) {
#if defined(BIOALBERT_HOPPER)
  Shared& s = shared_as<Shared>();
  const uint32_t g = lane() / 4, t = lane() % 4;
  float d[kN / 2];
  for (uint32_t k = 0; k < k_size; k += kK) {
    __syncthreads();
    for (uint32_t c = threadIdx.x; c < kN * kK / 8; c += kWarpgroup) {
      const uint32_t row = c / 8, chunk = c % 8;
      *reinterpret_cast<uint4*>(s.b[0] + row * kK + (chunk ^ row % 8) * 8) = *reinterpret_cast<const uint4*>(b + row * k_size + k + chunk * 8);
    }
    if (bug != kNoProxyFence) fence_async();
    __syncthreads();
    uint32_t fragments[kK / 16][4];
    for (uint32_t i = 0; i < kK / 16; i++)
      for (uint32_t r = 0; r < 4; r++) {
        const uint32_t row = warp() * 16 + g + (bug == kWrongA ? r / 2 : r % 2) * 8, column = i * 16 + 2 * t + (bug == kWrongA ? r % 2 : r / 2) * 8;
        fragments[i][r] = *reinterpret_cast<const uint32_t*>(a + row * k_size + k + column);
      }
    wgmma_fence(d);
    for (uint32_t i = 0; i < kK / 16; i++)
      wgmma<kN, Major::k>(d, fragments[i], further(descriptor(s.b[0], 0, 1024, Swizzle::b128), i * 32), k > 0 || i > 0);
    wgmma_commit();
    wgmma_wait<0>(d);
  }
  store<bug>(d, y);
#endif
}

// y[i] = sum of all a, by two blocks.
struct SumShared {
  float values[kWarpgroup];
  float sums[kWarpgroup / kWarp];
};

template <Bug bug>
__global__ void __launch_bounds__(kWarpgroup) sum_kernel(const bf16* a, float* y, uint32_t n) {
  SumShared& s = shared_as<SumShared>();
  float sum = 0;
  for (uint32_t i = threadIdx.x; i < (bug == kOffByOne ? n + 1 : n); i += kWarpgroup) sum += to_float(a[i]);
  s.values[threadIdx.x] = sum;
  if (bug != kNoSyncwarp) __syncwarp();
  if (lane() == 0) {
    float all = 0;
    for (uint32_t i = 0; i < kWarp; i++) all += s.values[warp() * kWarp + i];
    s.sums[warp()] = all;
  }
  if (bug != kNoSyncthreads) __syncthreads();
  float all = 0;
  for (uint32_t i = 0; i < kWarpgroup / kWarp; i++) all += s.sums[i];
  for (uint32_t i = threadIdx.x; i < kM * kN / 2; i += kWarpgroup) y[(bug == kTwoBlocks ? 0 : blockIdx.x) * (kM * kN / 2) + i] = all;
}

using Bf16In = Buffer<const bf16>;

template <Bug bug, Major kMajor>
void pipeline(Launch& launch, Bf16In a, Bf16In b, Buffer<float> y) {
  const uint64_t k = a.size / kM;
  TensorMap maps[2];
  for (uint32_t i = 0; i < 2; i++) {
    const bf16* at = i == 0 ? a.data : b.data;
    maps[i] = kMajor == Major::k ? launch.tensor_map(at, {k, kM}, {k}, {kK, kM}, Swizzle::b128)
                                 : launch.tensor_map(at, {kM, k}, {kM}, {kM, kK}, Swizzle::b128);
  }
  launch(pipeline_kernel<bug, kMajor>, 1, kWarpgroup + kWarp, sizeof(Shared), maps[0], maps[1], y.data, uint32_t((k + kK - 1) / kK));
}

template <Bug bug>
void stores(Launch& launch, Bf16In a, Bf16In b, Buffer<float> y) {
  launch(stores_kernel<bug>, 1, kWarpgroup, sizeof(Shared), a.data, b.data, y.data, uint32_t(a.size / kM));
}

template <Bug bug>
void sums(Launch& launch, Bf16In a, Bf16In, Buffer<float> y) {
  launch(sum_kernel<bug>, 2, kWarpgroup, sizeof(SumShared), a.data, y.data, uint32_t(a.size));
}

}  // namespace

EXPORT_KERNELS(planted, BIOALBERT_KERNEL("pipeline", (pipeline<kNone, Major::k>)),
               BIOALBERT_KERNEL("pipeline_mn", (pipeline<kNone, Major::mn>)), BIOALBERT_KERNEL("stores", stores<kNone>),
               BIOALBERT_KERNEL("sums", sums<kNone>),
               BIOALBERT_KERNEL("pipeline wrong phase", (pipeline<kWrongPhase, Major::k>)),
               BIOALBERT_KERNEL("pipeline no empty wait", (pipeline<kNoEmptyWait, Major::k>)),
               BIOALBERT_KERNEL("pipeline early release", (pipeline<kEarlyRelease, Major::k>)),
               BIOALBERT_KERNEL("pipeline no wait", (pipeline<kNoWait, Major::k>)),
               BIOALBERT_KERNEL("pipeline no fence", (pipeline<kNoFence, Major::k>)),
               BIOALBERT_KERNEL("pipeline wrong swizzle", (pipeline<kWrongSwizzle, Major::k>)),
               BIOALBERT_KERNEL("pipeline wrong stride", (pipeline<kWrongStride, Major::mn>)),
               BIOALBERT_KERNEL("pipeline wrong fragment", (pipeline<kWrongFragment, Major::k>)),
               BIOALBERT_KERNEL("pipeline wrong bytes", (pipeline<kWrongBytes, Major::k>)),
               BIOALBERT_KERNEL("pipeline no init fence", (pipeline<kNoInitFence, Major::k>)),
               BIOALBERT_KERNEL("pipeline no init sync", (pipeline<kNoInitSync, Major::k>)),
               BIOALBERT_KERNEL("pipeline stage past", (pipeline<kStagePast, Major::k>)),
               BIOALBERT_KERNEL("pipeline one warp", (pipeline<kOneWarp, Major::k>)),
               BIOALBERT_KERNEL("stores no proxy fence", stores<kNoProxyFence>),
               BIOALBERT_KERNEL("stores wrong a", stores<kWrongA>),
               BIOALBERT_KERNEL("sums no syncthreads", sums<kNoSyncthreads>),
               BIOALBERT_KERNEL("sums no syncwarp", sums<kNoSyncwarp>),
               BIOALBERT_KERNEL("sums off by one", sums<kOffByOne>),
               BIOALBERT_KERNEL("sums two blocks", sums<kTwoBlocks>))
