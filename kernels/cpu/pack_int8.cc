// A weight [out,in] as an operand of 8-bit products: each channel (row of the weight) quantised symmetrically with a scale of its
// own, in the order in which the products of this instruction set read it; see int8_gemm.h.
//
// Work split: a task is a panel of kInt8TileColumns channels. The scratch holds one channel at a time, so K is at most kMostK.
#include "int8_gemm.h"
#include "kernel.h"

namespace {

// ---------------------------------------------------------------- forward

void pack_int8_forward(Team& team, const float* weight, int8_t* packed, uint32_t out, uint32_t in) {
  static_assert(kMostK + 64 <= Team::kScratchFloats * sizeof(float), "a channel in the scratch");
  const auto to = int8_weight<int8_t, float, int32_t>(packed, out, in);
  each_range(team, out, kInt8TileColumns, [&](uint32_t begin, uint32_t end) {
    int8_t* panel = to.panels + begin / kInt8TileColumns * to.panel_bytes;
    int8_t* channel = reinterpret_cast<int8_t*>(team.scratch());
    const uint32_t filled = rounded_up(in, kInt8Steps);  // zeros behind the channel
    for (uint32_t c = 0; c < kInt8TileColumns; c++) {
      float scale = 0;
      int32_t sum = 0;
      if (begin + c < end) {
        scale = quantise<1>(weight + size_t(begin + c) * in, in, channel);
        for (uint32_t k = 0; k < in; k++) sum += channel[k];
        memset(channel + in, 0, filled - in);
      } else {
        memset(channel, 0, filled);
      }
      to.scale[begin + c] = scale;
      to.start[begin + c] = -kOffset * sum;
      int8_t* column = panel + c * kGroup;
      for (uint32_t k = 0; k < filled; k += kGroup, column += kPanelStep) memcpy(column, channel + k, kGroup);
    }
  });
}

}  // namespace

EXPORT_KERNELS(pack_int8, KERNEL(pack_int8_forward))
