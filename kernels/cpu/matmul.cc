// Matrix products of a batch: y[b] = op(a[b]) op(b[b]), op(a) [m,k], op(b) [k,n], either stored transposed; an operand
// whose step is 0 is the same for the whole batch.
//
// Work split: products of a batch with k of at most one block are computed 96 rows of one product a task, by gemm_local;
// all others one after the other by all threads together (gemm.h). Both sum over k in the same order, so neither the
// batch nor the rows that a task has change a bit.
#include "gemm.h"

namespace {

constexpr uint32_t kTaskM = 96;

// ---------------------------------------------------------------- forward

void matmul_forward(Team& team, const float* a, const float* b, float* y, uint32_t batch, uint32_t m, uint32_t n, uint32_t k,
                    uint32_t a_step, uint32_t b_step, uint32_t transpose_a, uint32_t transpose_b) {
  const auto matrix_a = [&](uint32_t i) {
    const float* p = a + size_t(i) * a_step;
    return transpose_a ? transposed(p, m) : rows_of(p, k);
  };
  if (batch < 2 || k > kBlockK || (transpose_b && size_t(k) * n > Team::kScratchFloats)) {
    for (uint32_t i = 0; i < batch; i++) {
      const float* p = b + size_t(i) * b_step;
      gemm(team, m, n, k, matrix_a(i), transpose_b ? transposed(p, k) : rows_of(p, n), y + size_t(i) * m * n, n, false);
    }
    return;
  }
  const uint32_t parts = (m + kTaskM - 1) / kTaskM;
  each(team, batch * parts, [&](uint32_t task) {
    const uint32_t i = task / parts, m0 = task % parts * kTaskM, rows = m - m0 < kTaskM ? m - m0 : kTaskM;
    const float* rows_b = b + size_t(i) * b_step;
    if (transpose_b) {
      copy_transposed(rows_b, k, n, k, team.scratch(), n);
      rows_b = team.scratch();
    }
    Matrix from = matrix_a(i);
    from.p += ptrdiff_t(m0) * from.row;
    gemm_local(rows, n, k, from, rows_b, n, y + (size_t(i) * m + m0) * n, n, false);
  });
}

}  // namespace

EXPORT_KERNELS(matmul, KERNEL(matmul_forward))
