// Matrix products of a batch: y[b] = op(a[b]) op(b[b]), op(a) [m,k], op(b) [k,n], either stored transposed; an operand
// whose step is 0 is the same for the whole batch.
//
// Work split and numerics: product_f32.cuh. A block owns a tile of one product of the batch.
#include "product_f32.cuh"

namespace {

// ---------------------------------------------------------------- forward

void matmul_forward(Launch& launch, Buffer<const float> a, Buffer<const float> b, Buffer<float> y, Param<uint32_t> batch,
                    Param<uint32_t> m, Param<uint32_t> n, Param<uint32_t> k, Param<uint32_t> a_step, Param<uint32_t> b_step,
                    Param<uint32_t> transpose_a, Param<uint32_t> transpose_b) {
  const bool ta = transpose_a.most != 0, tb = transpose_b.most != 0;
  Product<float> p;
  p.a = a.data, p.b = b.data;
  p.a_pitch = ta ? m : k, p.b_pitch = tb ? k : n;
  p.m = m, p.n = n.most, p.k = k, p.batch = batch;
  // sizes of a run are bounded by the buffers: m or k where there is one product, the batch where there are more
  const size_t rows = y.size / p.n;
  p.most_batch = batch.is_constant() ? batch.most : uint32_t(rows / m.most);
  p.most_m = m.is_constant() ? m.most : uint32_t(rows);
  p.most_k = k.is_constant() ? k.most : uint32_t(b.size / p.n);
  p.a_step = a_step.most, p.b_step = b_step.most;
  const Store<float> store{y.data, p.n};
  if (ta && tb)
    product_fma<false, true>(launch, p, store);
  else if (ta)
    product_fma<false, false>(launch, p, store);
  else if (tb)
    product_fma<true, true>(launch, p, store);
  else
    product_fma<true, false>(launch, p, store);
}

}  // namespace

EXPORT_KERNELS(matmul, KERNEL(matmul_forward))
