// A weight [out,in] as an operand of bf16 products: rounded to bf16, in the order in which the products of this
// instruction set read it, first for the forward product x weight^T, then (`gradient`) for that of the input gradient
// dy weight. Run once a step; every use of the weight in that step reads the copies.
//
// Work split: see pack_operand in panel_gemm.h and tile_gemm.h.
#include "dense.h"
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

void pack_forward(Team& team, const float* weight, float* packed, uint32_t out, uint32_t in, uint32_t gradient) {
  pack_operand(team, transposed(weight, in), in, out, packed);
  if (gradient) pack_operand(team, rows_of(weight, in), out, in, packed + packed_half(out, in));
}

}  // namespace

EXPORT_KERNELS(pack, KERNEL(pack_forward))
