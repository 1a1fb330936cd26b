// Tiles for the copy engine (TensorMap in record.h): the driver encodes them, found through the runtime, since the addon
// must load where there is no driver. Emulated they are the layout itself. What the driver would refuse is refused alike.
#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

#include "api.h"
#include "record.h"

#if !defined(BIOALBERT_EMULATED)
#include <cuda.h>
#endif

namespace {

[[noreturn]] void refuse(const TensorLayout& l, const std::string& why) {
  std::string text = "tiles of ";
  for (uint32_t i = 0; i < l.rank; i++) text += (i > 0 ? " x " : "") + std::to_string(l.box[i]);
  text += " of a tensor of ";
  for (uint32_t i = 0; i < l.rank; i++) text += (i > 0 ? " x " : "") + std::to_string(l.size[i]);
  throw std::invalid_argument(text + (l.is_float ? " f32: " : " bf16: ") + why);
}

void check_layout(const TensorLayout& l) {
  const size_t element = l.is_float ? 4 : 2, row = l.box[0] * element;
  if (reinterpret_cast<uintptr_t>(l.at) % 16 != 0) refuse(l, "the address is no multiple of 16");
  for (uint32_t i = 0; i < l.rank; i++) {
    if (l.size[i] == 0 || l.size[i] > uint64_t(1) << 32) refuse(l, "a size is 0 or more than 2^32");
    if (l.box[i] == 0 || l.box[i] > 256) refuse(l, "a tile has 0 or more than 256 elements along one dimension");
    if (i > 0 && (l.stride[i - 1] % 16 != 0 || l.stride[i - 1] >= uint64_t(1) << 40))
      refuse(l, "a stride is no multiple of 16 bytes below 2^40");
  }
  if (row % 16 != 0) refuse(l, "rows of a tile are no multiple of 16 bytes");
  if (l.swizzle != Swizzle::none && row > size_t(16) << uint32_t(l.swizzle)) refuse(l, "rows of a tile are longer than its swizzle");
}

}  // namespace

#if defined(BIOALBERT_EMULATED)

TensorMap make_tensor_map(const TensorLayout& layout) {
  check_layout(layout);
  TensorMap map{};
  static_assert(sizeof layout <= sizeof map, "a layout has its place in a map");
  memcpy(map.words, &layout, sizeof layout);
  return map;
}

#else

TensorMap make_tensor_map(const TensorLayout& l) {
  check_layout(l);
  using Encode = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*,
                              const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                              CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
  static const Encode encode = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result),
          "cuTensorMapEncodeTiled");
#else
    check(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &found, cudaEnableDefault, &result), "cuTensorMapEncodeTiled");
#endif
    if (result != cudaDriverEntryPointSuccess) throw std::runtime_error("the driver has no cuTensorMapEncodeTiled (want one of CUDA 12)");
    return reinterpret_cast<Encode>(found);
  }();
  static_assert(sizeof(CUtensorMap) == sizeof(TensorMap) && alignof(CUtensorMap) <= alignof(TensorMap), "the driver's size");
  const cuuint64_t size[] = {l.size[0], l.size[1], l.size[2]}, stride[] = {l.stride[0], l.stride[1]};
  const cuuint32_t steps[] = {1, 1, 1};
  const CUtensorMapSwizzle swizzles[] = {CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_32B, CU_TENSOR_MAP_SWIZZLE_64B,
                                         CU_TENSOR_MAP_SWIZZLE_128B};
  TensorMap map{};
  const CUresult code = encode(reinterpret_cast<CUtensorMap*>(&map),
                               l.is_float ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, l.rank,
                               const_cast<void*>(l.at), size, stride, l.box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                               swizzles[uint32_t(l.swizzle)], CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (code != CUDA_SUCCESS) refuse(l, "the driver gave " + std::to_string(int(code)));
  return map;
}

#endif
