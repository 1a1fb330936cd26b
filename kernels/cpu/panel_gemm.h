// Products of bf16 operands on instruction sets that have no instruction for them: bf16 becomes f32 while it is copied, and
// the micro-kernel of gemm.h does the rest, exactly on products of two bf16. A packed operand B[K,N] is floats rounded to
// bf16, in panels of kTileColumns columns: element (k, j) at panel(j / kTileColumns) K kTileColumns + k kTileColumns +
// j % kTileColumns, columns from N on zero. So B is never copied again.
#pragma once
#include "gemm.h"

namespace {

constexpr uint32_t kPackTask = 256;  // steps of K that one task packs

// Element (k, j) of B at B.p[k * B.row + j * B.column].
inline void pack_operand(Team& team, Matrix B, uint32_t K, uint32_t N, float* to) {
  const uint32_t panels = (N + kTileColumns - 1) / kTileColumns, pieces = (K + kPackTask - 1) / kPackTask;
  each(team, panels * pieces, [&](uint32_t t) {
    const uint32_t j = t / pieces * kTileColumns, k = t % pieces * kPackTask;
    const uint32_t lines = N - j < kTileColumns ? N - j : kTileColumns, n = K - k < kPackTask ? K - k : kPackTask;
    float* panel = to + size_t(j) * K + size_t(k) * kTileColumns;
    pack_panel(B.p + k * B.row + j * B.column, B.column, B.row, lines, n, kTileColumns, panel);
    for (uint32_t i = 0; i < n * kTileColumns; i++) panel[i] = to_float(to_bf16(panel[i]));
  });
}

// C[M,N] = A[M,K] B[K,N], B packed, rows of A and C contiguous. Sums over several blocks of K wait as floats in the shared
// memory, for as many rows of C at a time as fit there.
template <class Epilogue>
inline void packed_gemm(Team& team, uint32_t M, uint32_t N, uint32_t K, const bf16* A, const float* B, bf16* C,
                        const Epilogue& epilogue) {
  constexpr uint32_t kWidest = uint32_t(Team::kSharedFloats) / kBlockM / kTileColumns * kTileColumns;
  float *sums_of_all = team.shared(), *block = team.scratch();
  for (uint32_t n0 = 0; n0 < N; n0 += kWidest) {
    const uint32_t nn = N - n0 < kWidest ? N - n0 : kWidest;
    const uint32_t tall = K <= kBlockK ? M : uint32_t(Team::kSharedFloats) / nn / kBlockM * kBlockM;
    const uint32_t across = (nn + kTaskN - 1) / kTaskN;
    for (uint32_t r0 = 0; r0 < M; r0 += tall) {
      const uint32_t rows = M - r0 < tall ? M - r0 : tall, down = (rows + kBlockM - 1) / kBlockM;
      for (uint32_t k0 = 0; k0 < K; k0 += kBlockK) {
        const uint32_t nk = K - k0 < kBlockK ? K - k0 : kBlockK;
        const bool add = k0 > 0, last = k0 + nk == K;
        uint32_t packed = ~0u;  // which block of A this thread holds
        each(team, across * down, [&](uint32_t t) {
          const uint32_t m0 = t / across * kBlockM, nm = rows - m0 < kBlockM ? rows - m0 : kBlockM;
          const uint32_t j0 = t % across * kTaskN, j1 = nn - j0 < kTaskN ? nn : j0 + kTaskN;
          if (packed != m0) pack_block(rows_of(A, K), r0 + m0, nm, k0, nk, block);
          packed = m0;
          for (uint32_t j = j0; j < j1; j += kTileColumns)
            for (uint32_t i = 0; i < nm; i += kTileRows) {
              alignas(64) float sums[kTileRows * kTileColumns];
              const float* b = B + size_t(n0 + j) * K + size_t(k0) * kTileColumns;
              const float* next = b + size_t(K) * kTileColumns + size_t(i / kTileRows) * (nk / kAhead) * kLine;
              packed_product<kTileVectors>(nk, block + size_t(i) * nk, b, next, sums);
              const uint32_t mr = nm - i < kTileRows ? nm - i : kTileRows, nc = j1 - j < kTileColumns ? j1 - j : kTileColumns;
              float* wait = sums_of_all + size_t(m0 + i) * nn + j;
              if (!last) {
                finish_tile<kTileVectors>(sums, mr, nc, wait, nn, add, false, 0, 0, Plain());
                continue;
              }
              if (add)  // onto what waits, which nobody reads again
                for (uint32_t r = 0; r < mr; r++)
                  for (uint32_t v = 0; v * W < nc; v++) {
                    float* s = sums + (r * kTileVectors + v) * W;
                    store(s, load(s) + load_n(wait + size_t(r) * nn + v * W, nc - v * W));
                  }
              finish_tile<kTileVectors>(sums, mr, nc, C + size_t(r0 + m0 + i) * N + n0 + j, N, false, true, r0 + m0 + i, n0 + j,
                                        epilogue);
            }
        });
      }
    }
  }
}

// C[M,N] += A^T B for A[K,M] and B[K,N], rows contiguous: the gradient of a weight.
inline void outer_gemm(Team& team, uint32_t M, uint32_t N, uint32_t K, const bf16* A, const bf16* B, float* C) {
  gemm(team, M, N, K, transposed(A, M), rows_of(B, N), C, N, true);
}

}  // namespace
