// Products of a dense layer for each type in which activations are stored, under one name:
//
//   dense_forward   y[rows,out] = x[rows,in] weight^T, dense_input   dx[rows,in] = dy[rows,out] weight,
//   dense_weight    dweight[out,in] += dy^T x (always f32)
//
// f32: `weight` is the matrix [out,in] itself. bf16: it is a packed operand that pack.cc wrote, opaque to everyone else;
// panel_gemm.h (the f32 micro-kernel on rounded values) or tile_gemm.h (instructions that multiply bf16) says what is in it.
#pragma once
#include "gemm.h"
#if defined(BIOALBERT_TILES)
#include "tile_gemm.h"
#else
#include "panel_gemm.h"
#endif

namespace {

// Floats in one of the two halves of a packed weight: for the forward product, then for that of the input gradient. Room
// for four bytes an element and for the padding of every instruction set; src/ops/shape.ts counts the same.
inline size_t packed_half(uint32_t out, uint32_t in) { return size_t(out + 64) * (in + 64); }

template <class Epilogue = Plain>
inline void dense_forward(Team& team, uint32_t rows, uint32_t out, uint32_t in, const float* x, const float* weight, float* y,
                          const Epilogue& epilogue) {
  gemm(team, rows, out, in, rows_of(x, in), transposed(weight, in), y, out, false, epilogue);
}
template <class Epilogue = Plain>
inline void dense_forward(Team& team, uint32_t rows, uint32_t out, uint32_t in, const bf16* x, const float* weight, bf16* y,
                          const Epilogue& epilogue) {
  packed_gemm(team, rows, out, in, x, weight, y, epilogue);
}

template <class Epilogue = Plain>
inline void dense_input(Team& team, uint32_t rows, uint32_t out, uint32_t in, const float* dy, const float* weight, float* dx,
                        const Epilogue& epilogue = Epilogue()) {
  gemm(team, rows, in, out, rows_of(dy, out), rows_of(weight, in), dx, in, false, epilogue);
}
template <class Epilogue = Plain>
inline void dense_input(Team& team, uint32_t rows, uint32_t out, uint32_t in, const bf16* dy, const float* weight, bf16* dx,
                        const Epilogue& epilogue = Epilogue()) {
  packed_gemm(team, rows, in, out, dy, weight + packed_half(out, in), dx, epilogue);
}

inline void dense_weight(Team& team, uint32_t rows, uint32_t out, uint32_t in, const float* dy, const float* x, float* dweight) {
  gemm(team, out, in, rows, transposed(dy, out), rows_of(x, in), dweight, in, true);
}
inline void dense_weight(Team& team, uint32_t rows, uint32_t out, uint32_t in, const bf16* dy, const bf16* x, float* dweight) {
  outer_gemm(team, out, in, rows, dy, x, dweight);
}

}  // namespace
