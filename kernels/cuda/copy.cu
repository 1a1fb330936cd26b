// Strided view to contiguous tensor: y[i0,i1,i2,i3] = x[offset + i0 s0 + i1 s1 + i2 s2 + i3 s3]. Backward adds dy onto x.
//
// Work split:
// - As a rule a thread has one element at a time in a grid-stride loop, forward 16 bytes where lines, strides and addresses
//   are multiples of them, backward four elements.
// - Where another dimension than the last is contiguous in x (a transpose), a block has tiles of 32 x 32 that pass through
//   shared memory, so that both sides are read and written along their lines.
// - Backward, elements of dy meet in one of x along a dimension of stride 0: a thread owns the element of x and adds
//   them up. Should other strides make elements meet too (windows that overlap), such dimensions are walked one index
//   after the other, with a barrier behind each; blocks part what lies apart.
// Numerics: what meets along strides of 0 is added up in f32, 64 terms at a time and these sums in order (where owners are
// few, in two launches), and then rounded once. The order follows from shape and strides.
// The floor is 2 times the bytes of y, backward 3 times.
#include "copy.cuh"

namespace {

// ---------------------------------------------------------------- forward

// In units of U. Signed strides.
template <class U>
__global__ void __launch_bounds__(kElementwise) copy_kernel(const U* x, U* y, View view) {
  const Sizes d(view);
  const uint32_t n = d.count(), step = gridDim.x * kElementwise;
  for (uint32_t e = blockIdx.x * kElementwise + threadIdx.x; e < n; e += step) y[e] = x[view.place(d.indices(e))];
}

template <class U, class T>
void record_copy(Launch& launch, Buffer<const T> x, Buffer<T> y, const View& view) {
  const View units = view.in_units(sizeof(U) / sizeof(T));
  launch(copy_kernel<U>, blocks_for(launch, y.size * sizeof(T) / sizeof(U), kElementwise), kElementwise, 0,
         reinterpret_cast<const U*>(x.data), reinterpret_cast<U*>(y.data), units);
}

// All of a tensor whose size is known at run time only.
template <class T>
__global__ void __launch_bounds__(kElementwise) whole_kernel(const T* x, T* y, Param<uint32_t> count, bool wide) {
  constexpr uint32_t kWidth = 16 / sizeof(T);
  const uint32_t n = count(), first = blockIdx.x * kElementwise + threadIdx.x, step = gridDim.x * kElementwise;
  const uint32_t pieces = wide ? n / kWidth : 0;
  for (uint32_t i = first; i < pieces; i += step) reinterpret_cast<uint4*>(y)[i] = reinterpret_cast<const uint4*>(x)[i];
  for (uint32_t i = pieces * kWidth + first; i < n; i += step) y[i] = x[i];
}

template <class T>
void copy_forward(Launch& launch, Buffer<const T> x, Buffer<T> y, Param<uint32_t> d0, Param<uint32_t> d1, Param<uint32_t> d2,
                  Param<uint32_t> d3, Param<int32_t> s0, Param<int32_t> s1, Param<int32_t> s2, Param<int32_t> s3,
                  Param<uint32_t> offset) {
  if (y.size == 0) return;
  const View view{{d0, d1, d2, d3}, {s0.most, s1.most, s2.most, s3.most}, offset.most};
  if (view.is_line() && s3.most == 1 && !d3.is_constant()) {
    const T* from = x.data + offset.most;
    const bool wide = is_multiple(from, 16) && is_multiple(y.data, 16);
    launch(whole_kernel<T>, element_blocks(launch, y.size), kElementwise, 0, from, y.data, d3, wide);
    return;
  }
  const int across = view.contiguous_dimension();
  if (across >= 0) return record_tiles<false>(launch, x.data, y.data, y.size, view, across);
  constexpr uint32_t kWords = 4 / sizeof(T);
  if (is_multiple(x.data, 16) && is_multiple(y.data, 16) && view.is_in_units(4 * kWords)) return record_copy<uint4>(launch, x, y, view);
  if (sizeof(T) == 2 && is_multiple(x.data, 4) && is_multiple(y.data, 4) && view.is_in_units(kWords))
    return record_copy<uint32_t>(launch, x, y, view);
  record_copy<std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>(launch, x, y, view);
}

// ---------------------------------------------------------------- backward
// dx[offset + sum_k i_k s_k] += dy[i]

// No two elements meet. Four elements of a line, or one.
template <uint32_t W, class T>
__global__ void __launch_bounds__(kElementwise) apart_kernel(const T* dy, T* dx, View view) {
  const Sizes d(view);
  const uint32_t n = d.count(), step = gridDim.x * kElementwise * W;
  for (uint32_t e = (blockIdx.x * kElementwise + threadIdx.x) * W; e < n; e += step) {
    T* to = dx + view.place(d.indices(e));
    if constexpr (W == 4) {
      const float4 a = load4(to), b = load4(dy + e);
      store4(to, make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w));
    } else {
      *to = from_float<T>(to_float(*to) + to_float(dy[e]));
    }
  }
}

// Elements meet along dimensions of stride 0 alone. Owners are the indices along the others.
template <class T>
__global__ void __launch_bounds__(kElementwise) owners_kernel(const T* dy, T* dx, View view) {
  const Sizes d(view);
  const Meeting m(view, d);
  const uint32_t step = gridDim.x * kElementwise;
  for (uint32_t owner = blockIdx.x * kElementwise + threadIdx.x; owner < m.owners; owner += step) {
    const uint4 i = m.index(owner, false);
    float sum = 0;
    for (uint32_t begin = 0; begin < m.terms; begin += kMeetingChunk) sum += m.chunk_sum(dy, d, i, begin);
    T* to = dx + view.place(i);
    *to = from_float<T>(to_float(*to) + sum);
  }
}

// The same in two launches: `partial` [chunk, owner].
template <class T>
__global__ void __launch_bounds__(kElementwise) meeting_kernel(const T* dy, float* partial, View view) {
  const Sizes d(view);
  const Meeting m(view, d);
  const uint32_t n = m.owners * m.chunks(), step = gridDim.x * kElementwise;
  for (uint32_t item = blockIdx.x * kElementwise + threadIdx.x; item < n; item += step) {
    const uint32_t chunk = item / m.owners;
    partial[item] = m.chunk_sum(dy, d, m.index(item - chunk * m.owners, false), chunk * kMeetingChunk);
  }
}
template <class T>
__global__ void __launch_bounds__(kElementwise) join_kernel(const float* partial, T* dx, View view) {
  const Sizes d(view);
  const Meeting m(view, d);
  const uint32_t step = gridDim.x * kElementwise;
  for (uint32_t owner = blockIdx.x * kElementwise + threadIdx.x; owner < m.owners; owner += step) {
    float sum = 0;
    ahead<8>(
        0, m.chunks(), 1, [&](uint32_t c) { return partial[size_t(c) * m.owners + owner]; }, [&](uint32_t, float v) { sum += v; });
    T* to = dx + view.place(m.index(owner, false));
    *to = from_float<T>(to_float(*to) + sum);
  }
}

// Elements meet along others too: `roles` says which dimension parts blocks, which are walked, which threads share out.
template <class T>
__global__ void __launch_bounds__(kElementwise) windows_kernel(const T* dy, T* dx, View view, Roles roles) {
  const Sizes d(view);
  const Meeting m(view, d);
  const uint32_t blocks = roles.count(d, Role::block), turns = roles.count(d, Role::turn), share = roles.count(d, Role::thread);
  for (uint32_t b = blockIdx.x; b < blocks; b += gridDim.x)
    for (uint32_t turn = 0; turn < turns; turn++) {
      for (uint32_t e = threadIdx.x; e < share; e += kElementwise) {
        uint4 i = make_uint4(0, 0, 0, 0);
        roles.add(i, d, Role::block, b), roles.add(i, d, Role::turn, turn), roles.add(i, d, Role::thread, e);
        float sum = 0;
        for (uint32_t begin = 0; begin < m.terms; begin += kMeetingChunk) sum += m.chunk_sum(dy, d, i, begin);
        T* to = dx + view.place(i);
        *to = from_float<T>(to_float(*to) + sum);
      }
      __syncthreads();
    }
}

template <class T>
void copy_backward(Launch& launch, Buffer<const T> dy, Buffer<T> dx, Param<uint32_t> d0, Param<uint32_t> d1, Param<uint32_t> d2,
                   Param<uint32_t> d3, Param<int32_t> s0, Param<int32_t> s1, Param<int32_t> s2, Param<int32_t> s3,
                   Param<uint32_t> offset) {
  if (dy.size == 0) return;
  const View view{{d0, d1, d2, d3}, {s0.most, s1.most, s2.most, s3.most}, offset.most};
  if (!view.is_apart(all_dimensions)) {
    const Roles roles(view);
    launch(windows_kernel<T>, blocks_for(launch, roles.most_blocks(view), 1), kElementwise, 0, dy.data, dx.data, view, roles);
    return;
  }
  const size_t owners = view.most_owners(), terms = dy.size / owners;
  if (terms > 1 || view.repeats()) {
    if (owners >= 32768 || terms <= kMeetingChunk) {
      launch(owners_kernel<T>, blocks_for(launch, owners, kElementwise), kElementwise, 0, dy.data, dx.data, view);
      return;
    }
    const size_t chunks = (terms - 1) / kMeetingChunk + 1;
    float* partial = launch.scratch<float>(chunks * owners);
    launch(meeting_kernel<T>, blocks_for(launch, chunks * owners, kElementwise), kElementwise, 0, dy.data, partial, view);
    launch(join_kernel<T>, blocks_for(launch, owners, kElementwise), kElementwise, 0, partial, dx.data, view);
    return;
  }
  const int across = view.contiguous_dimension();
  if (across >= 0) return record_tiles<true>(launch, dy.data, dx.data, dy.size, view, across);
  const bool wide = is_wide(dy.data) && is_wide(dx.data) && view.is_in_units(4);
  const auto kernel = wide ? apart_kernel<4, T> : apart_kernel<1, T>;
  launch(kernel, element_blocks(launch, dy.size), kElementwise, 0, dy.data, dx.data, view);
}

}  // namespace

EXPORT_KERNELS(copy, KERNELS(copy_forward), KERNELS(copy_backward))
