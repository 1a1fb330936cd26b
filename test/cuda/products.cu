// Products of kernels/cuda/product_hopper.cuh with every tile and every epilogue, whatever a plan would choose: a dense layer's
// forward product and its gradients, by entry points that all have the same arguments.
#include "product_hopper.cuh"

namespace {

// What is computed; the same numbers in products_driver.cc.
enum What : uint32_t { kBias, kGelu, kInput, kWeight, kJoined };  // and kJoined + 1, + 2: other joins

template <class Tile>
void dense(Launch& launch, Buffer<const bf16> x, Buffer<const bf16> weight, Buffer<const bf16> dy, Buffer<const float> bias, Buffer<bf16> y,
           Buffer<bf16> z, Buffer<bf16> dx, Buffer<float> dweight, Buffer<float> dbias, Param<uint32_t> rows, Param<uint32_t> in,
           Param<uint32_t> out, Param<uint32_t> what, Param<uint32_t> splits) {
  const uint32_t most = uint32_t(x.size / in.most);
  if (what.most == kWeight) {
    Product<bf16> p{dy.data, x.data, out, in, out, in.most, rows, out.most, most};
    p.sums = dbias.data;
    if (splits.most == 1)
      record_hopper<Tile, false, false, true, true>(launch, p, 1, Accumulate{dweight.data, in.most});
    else
      record_hopper<Tile, false, false, true, false>(launch, p, splits.most, Accumulate{dweight.data, in.most});
  } else if (what.most == kBias || what.most == kGelu) {
    const Product<bf16> p{x.data, weight.data, in, in, rows, out.most, in, most, in.most};
    if (what.most == kBias)
      record_hopper<Tile, true, true, false, false>(launch, p, splits.most, AddBias<bf16>{y.data, bias.data, out.most});
    else
      record_hopper<Tile, true, true, false, false>(launch, p, splits.most, AddBiasGelu<bf16>{y.data, z.data, bias.data, out.most, kTanhForm, true});
  } else {
    const Product<bf16> p{dy.data, weight.data, out, in, rows, in.most, out, most, out.most};
    if (what.most == kInput)
      record_hopper<Tile, true, false, false, false>(launch, p, splits.most, Store<bf16>{dx.data, in.most});
    else
      record_hopper<Tile, true, false, false, false>(launch, p, splits.most, Joined<bf16>{dx.data, x.data, in.most, Join(what.most - kJoined)});
  }
}

}  // namespace

EXPORT_KERNELS(products, BIOALBERT_KERNEL("pairs of 256", (dense<HopperTile<256, 2>>)),
               BIOALBERT_KERNEL("pairs of 192", (dense<HopperTile<192, 2>>)), BIOALBERT_KERNEL("128", (dense<HopperTile<128, 1>>)))
