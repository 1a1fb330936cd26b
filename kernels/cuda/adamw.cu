// One AdamW step on whole arenas, in place (Loshchilov and Hutter 2019): p -= lr (direction(m, v) + decay p), g = 0.
//
// Work split: four blocks a chunk (optimizer.cuh); everything in one pass. Where the norm of the gradients is not finite a
// step is left out; they are cleared, so that the next one starts afresh. Floor: 32 bytes an element.
#include "optimizer.cuh"

namespace {

// ---------------------------------------------------------------- forward

template <bool kWide>
__global__ void __launch_bounds__(kOptimizerThreads)
adamw_kernel(Arenas at, const int32_t* __restrict__ table, const int32_t* __restrict__ segments, const float* __restrict__ norm,
             Param<uint32_t> chunk_count, Param<float> lr, Param<float> decay_param, OptimizerParams params) {
  const uint32_t c = blockIdx.x, part = blockIdx.y;
  if (c >= chunk_count()) return;
  const Chunk chunk = chunk_of(table, c);
  const int32_t flags = segments[2 * chunk.segment];
  if (!(flags & kTrainable)) return;
  const float gradient_norm = *norm;
  if (!is_finite(gradient_norm)) {
    each_of_part<kWide>(
        chunk, part, [&](size_t i) { store4(at.gradients + i, make_float4(0.f, 0.f, 0.f, 0.f)); },
        [&](size_t i) { at.gradients[i] = 0.f; }, [] {});
    return;
  }
  const Moments moments(params, gradient_norm);
  const float decay = flags & kDecay ? decay_param() : 0.f, step = -lr();
  const auto moved = [&](float p, float u) { return fmaf(step, fmaf(decay, p, u), p); };
  each_of_part<kWide>(
      chunk, part,
      [&](size_t i) {
        const float4 p = load4(at.parameters + i), g = load4(at.gradients + i);
        float4 m = load4(at.moment1 + i), v = load4(at.moment2 + i);
        const float4 u = moments.update(g, m, v);
        store4(at.moment1 + i, m);
        store4(at.moment2 + i, v);
        store4(at.parameters + i, make_float4(moved(p.x, u.x), moved(p.y, u.y), moved(p.z, u.z), moved(p.w, u.w)));
        store4(at.gradients + i, make_float4(0.f, 0.f, 0.f, 0.f));
      },
      [&](size_t i) {
        float m = at.moment1[i], v = at.moment2[i];
        const float p = at.parameters[i], u = moments.update(at.gradients[i], m, v);
        at.moment1[i] = m;
        at.moment2[i] = v;
        at.parameters[i] = moved(p, u);
        at.gradients[i] = 0.f;
      },
      [] {});
}

void adamw_forward(Launch& launch, Buffer<float> parameters, Buffer<float> gradients, Buffer<float> moment1,
                   Buffer<float> moment2, Buffer<const int32_t> table, Buffer<const int32_t> segments, Buffer<const float> norm,
                   Param<uint32_t> chunk_count, Param<float> lr, Param<float> beta1, Param<float> beta2, Param<float> rest1,
                   Param<float> rest2, Param<float> eps, Param<float> decay, Param<float> clip, Param<float> unscale,
                   Param<float> correction1, Param<float> correction2) {
  const Arenas at{parameters.data, gradients.data, moment1.data, moment2.data};
  launch(at.wide() ? adamw_kernel<true> : adamw_kernel<false>, Grid(uint32_t(table.size / 3), kParts), kOptimizerThreads, 0, at,
         table.data, segments.data, norm.data, chunk_count, lr, decay,
         OptimizerParams{beta1, beta2, rest1, rest2, eps, clip, unscale, correction1, correction2});
}

}  // namespace

EXPORT_KERNELS(adamw, KERNEL(adamw_forward))
