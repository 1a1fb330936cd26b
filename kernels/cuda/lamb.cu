// One LAMB step on whole arenas, in place (You et al. 2020, algorithm 2, without bias correction where corrections are 1):
//
//   u = direction(m, v) + decay p,   p -= lr ratio u,   ratio = |p| / |u| per segment, 1 where one of them is 0,   g = 0
//
// Work split: four blocks a chunk (optimizer.cuh). The first stage updates the moments, leaves u where g was and |p|^2,
// |u|^2 of its part as doubles; one block a segment adds these in a fixed order and leaves the ratio; the second stage
// applies it, last chunk first, since that is what L2 still has. Where the norm is not finite only gradients are cleared.
// Floor: 44 bytes an element, 28 in the first stage (p, g, m, v read; u, m, v written), 16 in the second.
#include "optimizer.cuh"

namespace {

struct Squares {
  double p, u;
};

struct Shared {
  double p[kOptimizerThreads / kWarp], u[kOptimizerThreads / kWarp];
};

// ---------------------------------------------------------------- forward

template <bool kWide>
__global__ void __launch_bounds__(kOptimizerThreads)
lamb_directions(Arenas at, const int32_t* __restrict__ table, const int32_t* __restrict__ segments, const float* __restrict__ norm,
                Squares* __restrict__ squares, Param<uint32_t> chunk_count, Param<float> decay_param, OptimizerParams params) {
  const uint32_t c = blockIdx.x, part = blockIdx.y;
  const float gradient_norm = *norm;
  if (c >= chunk_count() || !is_finite(gradient_norm)) return;
  const Chunk chunk = chunk_of(table, c);
  const int32_t flags = segments[2 * chunk.segment];
  if (!(flags & kTrainable)) return;
  const Moments moments(params, gradient_norm);
  const float decay = flags & kDecay ? decay_param() : 0.f;
  float square_p = 0, square_u = 0;
  Squares sums{0, 0};
  const auto add = [&](float p, float u) {
    square_p = fmaf(p, p, square_p);
    square_u = fmaf(u, u, square_u);
  };
  each_of_part<kWide>(
      chunk, part,
      [&](size_t i) {
        const float4 p = load4(at.parameters + i), g = load4(at.gradients + i);
        float4 m = load4(at.moment1 + i), v = load4(at.moment2 + i);
        float4 u = moments.update(g, m, v);
        u = make_float4(fmaf(decay, p.x, u.x), fmaf(decay, p.y, u.y), fmaf(decay, p.z, u.z), fmaf(decay, p.w, u.w));
        store4(at.moment1 + i, m);
        store4(at.moment2 + i, v);
        store4(at.gradients + i, u);
        add(p.x, u.x), add(p.y, u.y), add(p.z, u.z), add(p.w, u.w);
      },
      [&](size_t i) {
        const float p = at.parameters[i];
        float m = at.moment1[i], v = at.moment2[i];
        const float u = fmaf(decay, p, moments.update(at.gradients[i], m, v));
        at.moment1[i] = m;
        at.moment2[i] = v;
        at.gradients[i] = u;
        add(p, u);
      },
      [&] {
        sums.p += double(square_p), sums.u += double(square_u);
        square_p = square_u = 0;
      });
  Shared& s = shared_as<Shared>();
  sums.p = block_sum<kOptimizerThreads>(sums.p, s.p);
  sums.u = block_sum<kOptimizerThreads>(sums.u, s.u);
  if (threadIdx.x == 0) squares[c * kParts + part] = sums;
}

// Leaves a segment's ratio at its first chunk.
__global__ void __launch_bounds__(kOptimizerThreads)
lamb_ratios(const int32_t* __restrict__ segments, const Squares* __restrict__ squares, double* __restrict__ ratios,
            Param<uint32_t> chunk_count, Param<uint32_t> segment_count) {
  const uint32_t s = blockIdx.x, count = segment_count();
  if (s >= count) return;
  const uint32_t begin = uint32_t(segments[2 * s + 1]), end = s + 1 < count ? uint32_t(segments[2 * s + 3]) : chunk_count();
  if (begin == end) return;
  Squares sums{0, 0};
#pragma unroll 4
  for (uint32_t i = begin * kParts + threadIdx.x; i < end * kParts; i += kOptimizerThreads) {
    sums.p += squares[i].p;
    sums.u += squares[i].u;
  }
  Shared& shared = shared_as<Shared>();
  sums.p = block_sum<kOptimizerThreads>(sums.p, shared.p);
  sums.u = block_sum<kOptimizerThreads>(sums.u, shared.u);
  if (threadIdx.x > 0) return;
  const bool adapts = (segments[2 * s] & kAdapt) && sums.p > 0 && sums.u > 0;
  ratios[2 * begin] = adapts ? sqrt(sums.p) / sqrt(sums.u) : 1.0;
}

template <bool kWide>
__global__ void __launch_bounds__(kOptimizerThreads)
lamb_apply(Arenas at, const int32_t* __restrict__ table, const int32_t* __restrict__ segments, const float* __restrict__ norm,
           const double* __restrict__ ratios, Param<uint32_t> chunk_count, Param<float> lr) {
  const uint32_t chunks = chunk_count(), part = blockIdx.y;
  if (blockIdx.x >= chunks) return;
  const Chunk chunk = chunk_of(table, chunks - 1 - blockIdx.x);
  if (!(segments[2 * chunk.segment] & kTrainable)) return;
  const bool steps = is_finite(*norm);
  const float step = steps ? float(-double(lr()) * ratios[2 * segments[2 * chunk.segment + 1]]) : 0.f;
  each_of_part<kWide>(
      chunk, part,
      [&](size_t i) {
        if (steps) {
          const float4 p = load4(at.parameters + i), u = load4(at.gradients + i);
          store4(at.parameters + i,
                 make_float4(fmaf(step, u.x, p.x), fmaf(step, u.y, p.y), fmaf(step, u.z, p.z), fmaf(step, u.w, p.w)));
        }
        store4(at.gradients + i, make_float4(0.f, 0.f, 0.f, 0.f));
      },
      [&](size_t i) {
        if (steps) at.parameters[i] = fmaf(step, at.gradients[i], at.parameters[i]);
        at.gradients[i] = 0.f;
      },
      [] {});
}

void lamb_forward(Launch& launch, Buffer<float> parameters, Buffer<float> gradients, Buffer<float> moment1, Buffer<float> moment2,
                  Buffer<const int32_t> table, Buffer<const int32_t> segments, Buffer<const float> norm, Buffer<double> partial,
                  Param<uint32_t> chunk_count, Param<uint32_t> segment_count, Param<float> lr, Param<float> beta1,
                  Param<float> beta2, Param<float> rest1, Param<float> rest2, Param<float> eps, Param<float> decay,
                  Param<float> clip, Param<float> unscale, Param<float> correction1, Param<float> correction2) {
  const Arenas at{parameters.data, gradients.data, moment1.data, moment2.data};
  const OptimizerParams params{beta1, beta2, rest1, rest2, eps, clip, unscale, correction1, correction2};
  const uint32_t chunks = uint32_t(table.size / 3);
  Squares* squares = launch.scratch<Squares>(size_t(chunks) * kParts);
  const bool wide = at.wide();
  launch(wide ? lamb_directions<true> : lamb_directions<false>, Grid(chunks, kParts), kOptimizerThreads, sizeof(Shared), at,
         table.data, segments.data, norm.data, squares, chunk_count, decay, params);
  launch(lamb_ratios, uint32_t(segments.size / 2), kOptimizerThreads, sizeof(Shared), segments.data, squares, partial.data,
         chunk_count, segment_count);
  launch(wide ? lamb_apply<true> : lamb_apply<false>, Grid(chunks, kParts), kOptimizerThreads, 0, at, table.data, segments.data,
         norm.data, partial.data, chunk_count, lr);
}

}  // namespace

EXPORT_KERNELS(lamb, KERNEL(lamb_forward))
