// Running sums along the middle axis: y[o,k,i] = sum of x[o,j,i] over j <= k, or over j >= k (`reverse`).
//
// An axis goes by in chunks; a term's sum is that of the chunks before its own, added up in order, plus the one within
// the chunk. So the error grows with the number of chunks, not of terms, and a row has the same bits in any batch.
// Work split, inner = 1: a warp has a chunk of 4,096 terms of a row, a lane four neighbours at a time; lanes add up by a
// scan (Hillis and Steele 1986). inner > 1: a thread has a column and walks it in chunks of 64; neighbouring threads are
// neighbouring columns. Where an axis has several chunks, and for inner > 1 outputs are too few to fill the chip by
// columns alone, three launches: the sum of each chunk, the sums before each chunk, the result.
// The floor is 8 bytes a term, 12 with three launches.
#include "elementwise.cuh"

namespace {

constexpr uint32_t kThreads = 256, kWarps = kThreads / kWarp;
constexpr uint32_t kRowChunk = 4096, kColumnChunk = 64;

// Chunks [chunk, o, i]: how many there are, and their number in this run.
struct Chunks {
  uint32_t terms, outer, inner, axis, count;
  __device__ Chunks(Param<uint32_t> outer, Param<uint32_t> axis, uint32_t inner, uint32_t terms)
      : terms(terms), outer(outer()), inner(inner), axis(axis()), count(this->axis == 0 ? 0 : (this->axis - 1) / terms + 1) {}
};

// ---------------------------------------------------------------- inner = 1

// Terms k to k + 3 of a row of n; 0 past its end. `wide`: rows are a multiple of four and aligned.
__device__ __forceinline__ float4 terms4(const float* row, uint32_t k, uint32_t n, bool wide, bool reverse) {
  if (wide && k + 4 <= n) {
    const float4 v = load4(row + (reverse ? n - 4 - k : k));
    return reverse ? make_float4(v.w, v.z, v.y, v.x) : v;
  }
  const auto at = [&](uint32_t j) { return j < n ? row[reverse ? n - 1 - j : j] : 0.f; };
  return make_float4(at(k), at(k + 1), at(k + 2), at(k + 3));
}

__device__ __forceinline__ void put_terms4(float* row, uint32_t k, uint32_t n, bool wide, bool reverse, float4 v) {
  if (wide && k + 4 <= n) return store4(row + (reverse ? n - 4 - k : k), reverse ? make_float4(v.w, v.z, v.y, v.x) : v);
  const auto put = [&](uint32_t j, float s) {
    if (j < n) row[reverse ? n - 1 - j : j] = s;
  };
  put(k, v.x), put(k + 1, v.y), put(k + 2, v.z), put(k + 3, v.w);
}

// Sums of chunks [chunk, o]; sums of one chunk have no other order than those below.
__global__ void __launch_bounds__(kThreads)
row_totals_kernel(const float* x, float* totals, Param<uint32_t> outer, Param<uint32_t> axis, bool wide, bool reverse) {
  const Chunks c(outer, axis, 1, kRowChunk);
  for (uint32_t item = blockIdx.x * kWarps + warp(); item < c.outer * c.count; item += gridDim.x * kWarps) {
    const uint32_t row = item / c.count, chunk = item - row * c.count, begin = chunk * kRowChunk;
    const uint32_t end = c.axis - begin < kRowChunk ? c.axis : begin + kRowChunk;
    const float* from = x + size_t(row) * c.axis;
    float s = 0;
#pragma unroll 4
    for (uint32_t k = begin + 4 * lane(); k < end; k += 4 * kWarp) {
      const float4 v = terms4(from, k, c.axis, wide, reverse);
      s += (v.x + v.y) + (v.z + v.w);
    }
    s = warp_sum(s);
    if (lane() == 0) totals[size_t(chunk) * c.outer + row] = s;
  }
}

// `before`: sums before each chunk [chunk, o]; null where there is one chunk.
__global__ void __launch_bounds__(kThreads)
rows_kernel(const float* x, const float* before, float* y, Param<uint32_t> outer, Param<uint32_t> axis, bool wide, bool reverse) {
  const Chunks c(outer, axis, 1, kRowChunk);
  for (uint32_t item = blockIdx.x * kWarps + warp(); item < c.outer * c.count; item += gridDim.x * kWarps) {
    const uint32_t row = item / c.count, chunk = item - row * c.count, begin = chunk * kRowChunk;
    const uint32_t end = c.axis - begin < kRowChunk ? c.axis : begin + kRowChunk;
    const float* from = x + size_t(row) * c.axis;
    float* to = y + size_t(row) * c.axis;
    const float base = before ? before[size_t(chunk) * c.outer + row] : 0.f;
    float walked = 0;  // of this chunk
    float4 next = terms4(from, begin + 4 * lane(), end <= begin + 4 * lane() ? 0 : c.axis, wide, reverse);
    for (uint32_t first = begin; first < end; first += 4 * kWarp) {
      const uint32_t k = first + 4 * lane(), ahead = k + 4 * kWarp;
      float4 v = next;
      next = terms4(from, ahead, ahead < end ? c.axis : 0, wide, reverse);
      v.y += v.x, v.z += v.y, v.w += v.z;
      float sum = v.w;  // of this lane and those before
#pragma unroll
      for (uint32_t d = 1; d < kWarp; d *= 2) {
        const float other = __shfl_up_sync(kWholeWarp, sum, d);
        if (lane() >= d) sum = other + sum;
      }
      float lanes = __shfl_up_sync(kWholeWarp, sum, 1);
      if (lane() == 0) lanes = 0;
      const float s = walked + lanes;
      if (k < end) put_terms4(to, k, c.axis, wide, reverse, make_float4(base + (s + v.x), base + (s + v.y), base + (s + v.z), base + (s + v.w)));
      walked += __shfl_sync(kWholeWarp, sum, kWarp - 1);
    }
  }
}

// ---------------------------------------------------------------- inner > 1

// Walks a chunk of a column: f(place, sum up to there). Returns the sum.
template <class F>
__device__ __forceinline__ float walk(const float* x, uint32_t begin, const Chunks& c, bool reverse, F f) {
  constexpr uint32_t kAhead = 8;
  const uint32_t end = c.axis - begin < c.terms ? c.axis : begin + c.terms;
  const auto place = [&](uint32_t k) { return size_t(reverse ? c.axis - 1 - k : k) * c.inner; };
  float s = 0;
  uint32_t k = begin;
  for (; k + kAhead <= end; k += kAhead) {
    float v[kAhead];
#pragma unroll
    for (uint32_t j = 0; j < kAhead; j++) v[j] = x[place(k + j)];
#pragma unroll
    for (uint32_t j = 0; j < kAhead; j++) f(place(k + j), s += v[j]);
  }
  for (; k < end; k++) f(place(k), s += x[place(k)]);
  return s;
}

// Whole columns.
__global__ void __launch_bounds__(kThreads)
columns_kernel(const float* x, float* y, Param<uint32_t> outer, Param<uint32_t> axis, uint32_t inner, bool reverse) {
  const Chunks c(outer, axis, inner, kColumnChunk);
  for (uint32_t column = blockIdx.x * kThreads + threadIdx.x; column < c.outer * inner; column += gridDim.x * kThreads) {
    const uint32_t o = column / inner;
    const size_t start = size_t(o) * c.axis * inner + (column - o * inner);
    float base = 0;
    for (uint32_t chunk = 0; chunk < c.count; chunk++)
      base += walk(x + start, chunk * c.terms, c, reverse, [&](size_t at, float s) { y[start + at] = base + s; });
  }
}

// A chunk of a column a thread: its sum, or with `before` the result.
template <bool kTotals>
__global__ void __launch_bounds__(kThreads)
column_chunks_kernel(const float* x, const float* before, float* to, Param<uint32_t> outer, Param<uint32_t> axis, uint32_t inner,
                     bool reverse) {
  const Chunks c(outer, axis, inner, kColumnChunk);
  const uint32_t columns = c.outer * inner;
  for (uint32_t item = blockIdx.x * kThreads + threadIdx.x; item < columns * c.count; item += gridDim.x * kThreads) {
    const uint32_t chunk = item / columns, column = item - chunk * columns, o = column / inner;
    const size_t start = size_t(o) * c.axis * inner + (column - o * inner);
    if (kTotals) {
      to[item] = walk(x + start, chunk * c.terms, c, reverse, [](size_t, float) {});
    } else {
      const float base = before[item];
      walk(x + start, chunk * c.terms, c, reverse, [&](size_t at, float s) { to[start + at] = base + s; });
    }
  }
}

// ---------------------------------------------------------------- forward

// In place, [chunk, o, i]: sums of chunks become sums before each chunk.
__global__ void __launch_bounds__(kThreads)
before_kernel(float* totals, Param<uint32_t> outer, Param<uint32_t> axis, uint32_t inner, uint32_t terms) {
  constexpr uint32_t kAhead = 8;
  const Chunks c(outer, axis, inner, terms);
  const uint32_t columns = c.outer * inner;
  for (uint32_t column = blockIdx.x * kThreads + threadIdx.x; column < columns; column += gridDim.x * kThreads) {
    float* at = totals + column;
    float base = 0;
    for (uint32_t chunk = 0; chunk < c.count; chunk += kAhead) {
      float v[kAhead];
#pragma unroll
      for (uint32_t j = 0; j < kAhead; j++) v[j] = chunk + j < c.count ? at[size_t(chunk + j) * columns] : 0.f;
#pragma unroll
      for (uint32_t j = 0; j < kAhead; j++) {
        if (chunk + j < c.count) at[size_t(chunk + j) * columns] = base;
        base += v[j];
      }
    }
  }
}

void cumsum_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> outer, Param<uint32_t> axis,
                    Param<uint32_t> inner, Param<uint32_t> reverse) {
  if (y.size == 0) return;
  const uint32_t width = inner.most;
  const bool is_reverse = reverse.most != 0;
  const size_t most = axis.is_constant() ? axis.most : y.size / width, columns = y.size / most;
  const uint32_t terms = width == 1 ? kRowChunk : kColumnChunk;
  const size_t count = (most - 1) / terms + 1;
  const auto blocks = [&](size_t threads) { return blocks_for(launch, threads, kThreads); };
  if (width > 1 && (count == 1 || columns >= 65536)) {
    launch(columns_kernel, blocks(columns), kThreads, 0, x.data, y.data, outer, axis, width, is_reverse);
    return;
  }
  float* totals = count > 1 ? launch.scratch<float>(count * columns) : nullptr;
  if (width == 1) {
    const bool wide = axis.is_constant() && axis.most % 4 == 0 && is_wide(x.data) && is_wide(y.data);
    const uint32_t grid = blocks(columns * count * kWarp);
    if (totals) launch(row_totals_kernel, grid, kThreads, 0, x.data, totals, outer, axis, wide, is_reverse);
    if (totals) launch(before_kernel, blocks(columns), kThreads, 0, totals, outer, axis, width, terms);
    launch(rows_kernel, grid, kThreads, 0, x.data, totals, y.data, outer, axis, wide, is_reverse);
  } else {
    const uint32_t grid = blocks(columns * count);
    launch(column_chunks_kernel<true>, grid, kThreads, 0, x.data, nullptr, totals, outer, axis, width, is_reverse);
    launch(before_kernel, blocks(columns), kThreads, 0, totals, outer, axis, width, terms);
    launch(column_chunks_kernel<false>, grid, kThreads, 0, x.data, totals, y.data, outer, axis, width, is_reverse);
  }
}

}  // namespace

EXPORT_KERNELS(cumsum, KERNEL(cumsum_forward))
