// Rows by index: y[m,h] = x[index[m],h]; a row of zeros where the index is none of x.
//
// Work split: forward, a thread moves 16 bytes of a row at a time in a grid-stride loop, or four or two where rows or
// addresses want it. Backward, several picks may meet in one row: pick_sums.cuh.
// The floor is twice the bytes of y, backward three times.
#include "elementwise.cuh"
#include "pick_sums.cuh"

namespace {

// ---------------------------------------------------------------- forward

// Rows of `units` U, which are moved as they are.
template <class U>
__global__ void __launch_bounds__(kElementwise)
gather_kernel(const U* x, const uint32_t* index, U* y, Param<uint32_t> rows_size, Param<uint32_t> picks, uint32_t units) {
  const uint32_t rows = rows_size(), n = picks() * units, step = gridDim.x * kElementwise;
  for (uint32_t i = blockIdx.x * kElementwise + threadIdx.x; i < n; i += step) {
    const uint32_t m = i / units, row = index[m];  // a negative index is a large one
    U v{};
    if (row < rows) v = x[size_t(row) * units + (i - m * units)];
    y[i] = v;
  }
}

template <class U, class T>
void record_gather(Launch& launch, Buffer<const T> x, Buffer<const uint32_t> index, Buffer<T> y, Param<uint32_t> rows,
                   Param<uint32_t> picks, uint32_t hidden) {
  const size_t bytes = y.size * sizeof(T);
  launch(gather_kernel<U>, blocks_for(launch, bytes / sizeof(U), kElementwise), kElementwise, 0, reinterpret_cast<const U*>(x.data),
         index.data, reinterpret_cast<U*>(y.data), rows, picks, uint32_t(hidden * sizeof(T) / sizeof(U)));
}

template <class T>
void gather_forward(Launch& launch, Buffer<const T> x, Buffer<const uint32_t> index, Buffer<T> y, Param<uint32_t> rows,
                    Param<uint32_t> picks, Param<uint32_t> hidden) {
  if (y.size == 0) return;
  const auto in = [&](size_t bytes) {
    return hidden.most * sizeof(T) % bytes == 0 && reinterpret_cast<uintptr_t>(x.data) % bytes == 0 &&
           reinterpret_cast<uintptr_t>(y.data) % bytes == 0;
  };
  if (in(16)) return record_gather<uint4>(launch, x, index, y, rows, picks, hidden.most);
  if (in(4)) return record_gather<uint32_t>(launch, x, index, y, rows, picks, hidden.most);
  record_gather<uint16_t>(launch, x, index, y, rows, picks, hidden.most);
}

// ---------------------------------------------------------------- backward
// dx[index[m],h] += dy[m,h]

template <class T>
void gather_backward(Launch& launch, Buffer<const T> dy, Buffer<const uint32_t> index, Buffer<T> dx, Param<uint32_t> rows,
                     Param<uint32_t> picks, Param<uint32_t> hidden) {
  record_pick_sums<false>(launch, dy, index, dx, rows, picks, hidden.most);
}

}  // namespace

EXPORT_KERNELS(gather, KERNELS(gather_forward), KERNELS(gather_backward))
