// Products on the best path of a chip: C[m,n] = sum over k of A[m,k] B[n,k] (Product in product_split.cuh), then an epilogue.
//
//   f32   multiply-adds (product_f32.cuh)
//   bf16  wgmma and the copy engine on compute capability 9.0, if lines are whole 16 bytes (product_hopper.cuh); else, and where
//         its tiles of 128 rows are too large for the sizes, mma.sync (product_mma.cuh), which has a careful form for any sizes
#pragma once
#include <iterator>

#include "product_f32.cuh"
#include "product_hopper.cuh"
#include "product_mma.cuh"

namespace {

// kInnerA, kInnerB: whether k is contiguous in an operand. kSums: with p.sums, where it is in neither.
template <bool kInnerA, bool kInnerB, bool kSums = false, class Epilogue>
inline void product(Launch& launch, const Product<float>& p, const Epilogue& epilogue) {
  product_fma<kInnerA, kInnerB, kSums>(launch, p, epilogue);
}

template <bool kInnerA, bool kInnerB, bool kSums = false, class Epilogue>
inline void product(Launch& launch, const Product<bf16>& p, const Epilogue& epilogue) {
  const Plan mma = plan_product(launch.chip(), kMmaKinds, std::size(kMmaKinds), 1, p.most_m, p.n, p.most_k);
  const bool few = mma.clocks < plan_hopper<kHopperEven<kInnerA, kInnerB>>(launch.chip(), p.most_m, p.n, p.most_k).clocks;
  if (few || !product_hopper<kInnerA, kInnerB, kSums>(launch, p, epilogue)) product_mma<kInnerA, kInnerB, kSums>(launch, p, epilogue);
}

}  // namespace
