// Two tensors one after the other: y[o] = a[o] followed by b[o], runs of a_size and b_size elements of four bytes.
//
// Work split: a thread has one element of y at a time in a grid-stride loop, or four neighbours where both runs are
// multiples of four and the addresses allow it. They are moved as words, since integers are joined too.
// The floor is 8 bytes an element.
#include "elementwise.cuh"

namespace {

// ---------------------------------------------------------------- forward

// In units of U: one word or four.
template <class U>
__global__ void __launch_bounds__(kElementwise)
concat_kernel(const U* a, const U* b, U* y, Param<uint32_t> outer, uint32_t a_size, uint32_t b_size) {
  const uint32_t size = a_size + b_size, n = outer() * size, step = gridDim.x * kElementwise;
  for (uint32_t i = blockIdx.x * kElementwise + threadIdx.x; i < n; i += step) {
    const uint32_t o = i / size, k = i - o * size;
    y[i] = k < a_size ? a[size_t(o) * a_size + k] : b[size_t(o) * b_size + (k - a_size)];
  }
}

void concat_forward(Launch& launch, Buffer<const float> a, Buffer<const float> b, Buffer<float> y, Param<uint32_t> outer,
                    Param<uint32_t> a_size, Param<uint32_t> b_size) {
  if (y.size == 0) return;
  const bool wide = is_wide(a.data) && is_wide(b.data) && is_wide(y.data) && a_size.most % 4 == 0 && b_size.most % 4 == 0;
  const uint32_t blocks = element_blocks(launch, y.size);
  if (wide)
    launch(concat_kernel<uint4>, blocks, kElementwise, 0, reinterpret_cast<const uint4*>(a.data),
           reinterpret_cast<const uint4*>(b.data), reinterpret_cast<uint4*>(y.data), outer, a_size.most / 4, b_size.most / 4);
  else
    launch(concat_kernel<uint32_t>, blocks, kElementwise, 0, reinterpret_cast<const uint32_t*>(a.data),
           reinterpret_cast<const uint32_t*>(b.data), reinterpret_cast<uint32_t*>(y.data), outer, a_size.most, b_size.most);
}

}  // namespace

EXPORT_KERNELS(concat, KERNEL(concat_forward))
