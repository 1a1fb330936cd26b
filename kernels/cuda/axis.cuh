// Reductions over the middle axis of x [outer, axis, inner]: y[o,i] from x[o,k,i] over all k. For reduce and argmax.
//
// The order of terms is a function of axis and inner alone, so the same row has the same bits in a batch of any size,
// whatever the launch:
// - inner = 1, up to 8 terms: one after the other. Up to 64: 8 lanes; up to 1,024: a warp; each lane takes terms a stride
//   apart, then lanes join in a butterfly. More: chunks of 16,384 by a block each, joined as said below.
// - inner > 1: chunks of 256 terms. Term k of a chunk belongs to chain k % 8, the eight chains join in order.
// - chunks join in order, 32 at a time, and these groups in order.
// Work split, inner > 1: a thread has an output and its eight chains where there are many outputs or few terms. Else a
// block has a few columns and chunks, a thread one chain of one chunk and column; neighbouring threads are neighbours in
// memory. Where an axis may have several chunks, their states go through scratch memory and a second launch joins them.
//
// An operation is a struct with
//   State            a word or two, with `pass(state, lanes)`, the state of lane ^ lanes
//   float target(output)                   what else it wants to know of an output
//   State none()
//   void take(State&, float value, uint32_t k, float target)   terms come by ascending k
//   State join(State a, State b)
//   void put(output, State, uint32_t axis)
#pragma once
#include "ahead.cuh"

namespace {

constexpr uint32_t kAxisThreads = 256;
constexpr uint32_t kChains = 8, kColumnChunk = 256, kRowChunk = 16384, kGroup = 32;

template <class State>
struct AxisShared {
  State part[kAxisThreads];
};

__device__ __forceinline__ float pass(float v, uint32_t lanes) { return __shfl_xor_sync(kWholeWarp, v, lanes); }
__device__ __forceinline__ uint32_t pass(uint32_t v, uint32_t lanes) { return __shfl_xor_sync(kWholeWarp, v, lanes); }

__device__ __forceinline__ uint32_t chunks_of(uint32_t axis, uint32_t chunk) { return axis <= chunk ? 1 : (axis - 1) / chunk + 1; }

// Takes terms first, first + step, ... of those before `end`, eight loads at a time.
template <class Op>
__device__ __forceinline__ void take_terms(const Op& op, typename Op::State& s, const float* x, size_t stride, uint32_t first,
                                           uint32_t end, uint32_t step, float target) {
  ahead<8>(
      first, end, step, [&](uint32_t k) { return x[k * stride]; }, [&](uint32_t k, float v) { op.take(s, v, k, target); });
}

// ---------------------------------------------------------------- inner = 1

// Rows of up to 1,024 terms by groups of `kLanes` lanes.
template <uint32_t kLanes, class Op>
__device__ __forceinline__ void short_rows(const Op& op, const float* x, typename Op::State* partial, uint32_t outer, uint32_t n) {
  constexpr uint32_t kRows = kWarp / kLanes;  // of a warp
  const uint32_t warps = gridDim.x * (kAxisThreads / kWarp);
  for (uint32_t first = (blockIdx.x * (kAxisThreads / kWarp) + warp()) * kRows; first < outer; first += warps * kRows) {
    const uint32_t row = first + lane() / kLanes, l = lane() % kLanes;
    const bool there = row < outer;
    auto s = op.none();
    const float target = there ? op.target(row) : 0.f;
    if (there) take_terms(op, s, x + size_t(row) * n, 1, l, n, kLanes, target);
#pragma unroll
    for (uint32_t d = kLanes / 2; d > 0; d /= 2) s = op.join(s, pass(s, d));
    if (!there || l != 0) continue;
    if (partial)
      partial[row] = s;
    else
      op.put(row, s, n);
  }
}

// With `partial`, state [chunk, row].
template <class Op>
__global__ void __launch_bounds__(kAxisThreads, 5)
rows_kernel(Op op, const float* x, typename Op::State* partial, Param<uint32_t> outer_size, Param<uint32_t> axis_size) {
  using State = typename Op::State;
  AxisShared<State>& shared = shared_as<AxisShared<State>>();
  const uint32_t outer = outer_size(), n = axis_size();
  if (n <= 8) return short_rows<1>(op, x, partial, outer, n);
  if (n <= 64) return short_rows<8>(op, x, partial, outer, n);
  if (n <= 1024) return short_rows<32>(op, x, partial, outer, n);
  const uint32_t chunks = chunks_of(n, kRowChunk);
  for (uint32_t item = blockIdx.x; item < outer * chunks; item += gridDim.x) {
    const uint32_t row = item / chunks, chunk = item - row * chunks;
    const uint32_t begin = chunk * kRowChunk, end = n - begin < kRowChunk ? n : begin + kRowChunk;
    State s = op.none();
    take_terms(op, s, x + size_t(row) * n, 1, begin + threadIdx.x, end, kAxisThreads, op.target(row));
#pragma unroll
    for (uint32_t d = kWarp / 2; d > 0; d /= 2) s = op.join(s, pass(s, d));
    __syncthreads();  // the last row has been joined
    if (lane() == 0) shared.part[warp()] = s;
    __syncthreads();
    if (threadIdx.x != 0) continue;
    for (uint32_t w = 1; w < kAxisThreads / kWarp; w++) s = op.join(s, shared.part[w]);
    if (partial)
      partial[size_t(chunk) * outer + row] = s;
    else
      op.put(row, s, n);
  }
}

// ---------------------------------------------------------------- inner > 1

template <class Op>
__global__ void __launch_bounds__(kAxisThreads, 5)
outputs_kernel(Op op, const float* x, Param<uint32_t> outer, Param<uint32_t> axis_size, uint32_t inner) {
  using State = typename Op::State;
  const uint32_t n = axis_size(), outputs = outer() * inner, step = gridDim.x * kAxisThreads;
  for (uint32_t output = blockIdx.x * kAxisThreads + threadIdx.x; output < outputs; output += step) {
    const uint32_t o = output / inner;
    const float* from = x + size_t(o) * n * inner + (output - o * inner);
    const float target = op.target(output);
    State total = op.none(), group = op.none();
    for (uint32_t begin = 0, chunk = 0; begin < n; begin += kColumnChunk, chunk++) {
      const uint32_t end = n - begin < kColumnChunk ? n : begin + kColumnChunk;
      State s[kChains];
#pragma unroll
      for (State& chain : s) chain = op.none();
      uint32_t k = begin;
      for (; k + kChains <= end; k += kChains) {
        float v[kChains];
#pragma unroll
        for (uint32_t j = 0; j < kChains; j++) v[j] = from[size_t(k + j) * inner];
#pragma unroll
        for (uint32_t j = 0; j < kChains; j++) op.take(s[j], v[j], k + j, target);
      }
#pragma unroll
      for (uint32_t j = 0; j < kChains; j++)
        if (k + j < end) op.take(s[j], from[size_t(k + j) * inner], k + j, target);
#pragma unroll
      for (uint32_t j = 1; j < kChains; j++) s[0] = op.join(s[0], s[j]);
      group = chunk % kGroup == 0 ? s[0] : op.join(group, s[0]);
      if (chunk % kGroup == kGroup - 1 || end == n) total = chunk < kGroup ? group : op.join(total, group);
    }
    op.put(output, total, n);
  }
}

// `columns`, a power of two up to 32: of a block. With `partial`, state [chunk, output].
template <class Op>
__global__ void __launch_bounds__(kAxisThreads, 5)
chains_kernel(Op op, const float* x, typename Op::State* partial, Param<uint32_t> outer_size, Param<uint32_t> axis_size,
              uint32_t inner, uint32_t columns) {
  using State = typename Op::State;
  AxisShared<State>& shared = shared_as<AxisShared<State>>();
  const uint32_t n = axis_size(), outer = outer_size(), chunks = chunks_of(n, kColumnChunk);
  const uint32_t together = kAxisThreads / (columns * kChains);  // chunks that a block has at a time
  const uint32_t tiles = (inner + columns - 1) / columns, parts = (chunks + together - 1) / together;
  const uint32_t column = threadIdx.x % columns, chain = threadIdx.x / columns % kChains, mine = threadIdx.x / (columns * kChains);
  for (uint32_t item = blockIdx.x; item < outer * parts * tiles; item += gridDim.x) {
    const uint32_t line = item / tiles, i = (item - line * tiles) * columns + column;
    const uint32_t o = line / parts, chunk = (line - o * parts) * together + mine;
    const bool there = i < inner && chunk < chunks;
    const uint32_t output = o * inner + i;
    State s = op.none();
    if (there) {
      const uint32_t begin = chunk * kColumnChunk, end = n - begin < kColumnChunk ? n : begin + kColumnChunk;
      take_terms(op, s, x + size_t(o) * n * inner + i, inner, begin + chain, end, kChains, op.target(output));
    }
    __syncthreads();  // the last item has been joined
    shared.part[threadIdx.x] = s;
    __syncthreads();
    if (!there || chain != 0) continue;
    for (uint32_t j = 1; j < kChains; j++) s = op.join(s, shared.part[threadIdx.x + j * columns]);
    if (partial)
      partial[size_t(chunk) * outer * inner + output] = s;
    else
      op.put(output, s, n);
  }
}

// ---------------------------------------------------------------- chunks

// Thread: one group of chunks of one output; `columns` as above.
template <class Op>
__global__ void __launch_bounds__(kAxisThreads, 5)
chunks_kernel(Op op, const typename Op::State* partial, Param<uint32_t> outer, Param<uint32_t> axis_size, uint32_t inner,
              uint32_t chunk_terms, uint32_t columns) {
  using State = typename Op::State;
  AxisShared<State>& shared = shared_as<AxisShared<State>>();
  const uint32_t n = axis_size(), outputs = outer() * inner, chunks = chunks_of(n, chunk_terms);
  const uint32_t groups = (chunks + kGroup - 1) / kGroup, together = kAxisThreads / columns;
  const uint32_t column = threadIdx.x % columns, mine = threadIdx.x / columns;
  for (uint32_t first = blockIdx.x * columns; first < outputs; first += gridDim.x * columns) {
    const uint32_t output = first + column;
    State total = op.none();
    for (uint32_t group = 0; group < groups; group += together) {
      const uint32_t begin = (group + mine) * kGroup, end = begin + kGroup < chunks ? begin + kGroup : chunks;
      State s = op.none();
      if (output < outputs && begin < end) {
        const State* from = partial + output;
        s = from[size_t(begin) * outputs];
#pragma unroll 8
        for (uint32_t c = begin + 1; c < end; c++) s = op.join(s, from[size_t(c) * outputs]);
      }
      __syncthreads();  // the last groups have been joined
      shared.part[threadIdx.x] = s;
      __syncthreads();
      if (mine != 0) continue;
      const uint32_t here = groups - group < together ? groups - group : together;
      for (uint32_t j = 0; j < here; j++) {
        const State part = shared.part[threadIdx.x + j * columns];
        total = group + j == 0 ? part : op.join(total, part);
      }
    }
    if (mine == 0 && output < outputs) op.put(output, total, n);
  }
}

// Columns of a block: the power of two that covers `inner`, at most 32.
inline uint32_t columns_of(size_t inner) {
  uint32_t columns = 1;
  while (columns < inner && columns < kWarp) columns *= 2;
  return columns;
}

// Records the reduction of x to `outputs` values (at capacity).
template <class Op>
void reduce_axis(Launch& launch, const Op& op, Buffer<const float> x, size_t outputs, Param<uint32_t> outer, Param<uint32_t> axis,
                 uint32_t inner) {
  using State = typename Op::State;
  if (outputs == 0) return;
  const size_t most = axis.is_constant() ? axis.most : x.size / inner;  // terms
  const size_t chunk = inner == 1 ? kRowChunk : kColumnChunk, chunks = most <= chunk ? 1 : (most - 1) / chunk + 1;
  constexpr size_t kShared = sizeof(AxisShared<State>);
  if (inner > 1 && (outputs >= 32768 || most <= 32)) {
    launch(outputs_kernel<Op>, blocks_for(launch, outputs, kAxisThreads), kAxisThreads, 0, op, x.data, outer, axis, inner);
    return;
  }
  State* partial = chunks > 1 ? launch.scratch<State>(chunks * outputs) : nullptr;
  if (inner == 1) {
    const uint64_t lanes = !axis.is_constant() || most > 64 ? 32 : most > 8 ? 8 : 1;
    const uint64_t blocks = most > 1024 ? outputs * chunks : (outputs * lanes + kAxisThreads - 1) / kAxisThreads;
    launch(rows_kernel<Op>, blocks_for(launch, blocks, 1), kAxisThreads, kShared, op, x.data, partial, outer, axis);
  } else {
    const uint32_t columns = columns_of(inner);
    const uint64_t parts = (chunks * columns * kChains + kAxisThreads - 1) / kAxisThreads;
    const uint64_t blocks = outputs / inner * ((inner + columns - 1) / columns) * parts;
    launch(chains_kernel<Op>, blocks_for(launch, blocks, 1), kAxisThreads, kShared, op, x.data, partial, outer, axis, inner, columns);
  }
  if (!partial) return;
  const uint32_t columns = columns_of(outputs);
  launch(chunks_kernel<Op>, blocks_for(launch, outputs, columns), kAxisThreads, kShared, op, partial, outer, axis, inner,
         uint32_t(chunk), columns);
}

}  // namespace
