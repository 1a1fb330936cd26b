// Attention in f32 by multiply-adds: the reference that the forms in bf16 are held against, not the fast path.
//
// A tile is kSide queries x kSide keys. Threads stand in kDown rows and kAcross columns: a thread has kRows queries and the
// four keys of one group of random words, so its masks are its own; sums over keys of a query cross the kAcross lanes of a
// part of a warp. Products take their operands from shared memory as float4, from tiles whose 16-byte chunks are permuted by
// row, so that 8 lanes read 8 different ones whether they stand on neighbouring chunks or on every fourth row.
// Forward: a block has a tile of queries and goes through the keys by the online softmax. Backward: a block has a head of a
// sequence; keys are the outer loop, whose dk and dv stay in registers, queries the inner one. dq is summed in dqkv itself,
// each element by one thread, in the order of keys. Everything is computed once: five products.
// Scores, softmax and sums are f32; expf and logf are the accurate ones.
#pragma once
#include "attention.cuh"

namespace {

template <int kD, int kSide_, int kRows_>
struct VectorForm {
  static constexpr uint32_t kSide = kSide_, kRows = kRows_, kChunks = kD / 4;
  static constexpr uint32_t kAcross = kSide / 4, kDown = kSide / kRows, kThreads = kAcross * kDown;
  static constexpr uint32_t kMine = kChunks / kAcross;  // chunks of a row of D that are one thread's
  static_assert(kChunks % 8 == 0 && kChunks % kAcross == 0 && kSide % 32 == 0 && kAcross <= kWarp && kThreads % kWarp == 0, "");
};

// kRowsOf rows of kChunks float4, permuted.
template <uint32_t kRowsOf, uint32_t kChunks>
struct VectorTile {
  float4 at[kRowsOf * kChunks];
  __device__ __forceinline__ float4& chunk(uint32_t row, uint32_t c) { return at[row * kChunks + (c ^ (row / 4 % 8))]; }
  __device__ __forceinline__ float& element(uint32_t row, uint32_t i) {
    return reinterpret_cast<float*>(&chunk(row, i / 4))[i % 4];
  }
};

__device__ __forceinline__ float dot4(float4 a, float4 b, float sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}
__device__ __forceinline__ void add4(float4& sum, float f, float4 v) {
  sum.x = fmaf(f, v.x, sum.x), sum.y = fmaf(f, v.y, sum.y), sum.z = fmaf(f, v.z, sum.z), sum.w = fmaf(f, v.w, sum.w);
}
__device__ __forceinline__ float4 times4(float4 v, float f) { return make_float4(v.x * f, v.y * f, v.z * f, v.w * f); }

// Elements 4c .. 4c + 3 of a row of D, zeros behind it.
__device__ __forceinline__ float4 load_chunk(const Attention& call, const float* row, uint32_t c) {
  const float* p = row + 4 * c;
  if (4 * c + 4 <= call.D) return call.vector ? load4(p) : make_float4(p[0], p[1], p[2], p[3]);
  const uint32_t left = call.D > 4 * c ? call.D - 4 * c : 0;
  return make_float4(left > 0 ? p[0] : 0.f, left > 1 ? p[1] : 0.f, left > 2 ? p[2] : 0.f, 0.f);
}
__device__ __forceinline__ void store_chunk(const Attention& call, float* row, uint32_t c, float4 v) {
  float* p = row + 4 * c;
  const uint32_t left = call.D > 4 * c ? call.D - 4 * c : 0;
  if (left >= 4 && call.vector) return store4(p, v);
  if (left > 0) p[0] = v.x;
  if (left > 1) p[1] = v.y;
  if (left > 2) p[2] = v.z;
  if (left > 3) p[3] = v.w;
}

// kSide rows from `from` on, `there` of which exist; the others are zeros.
template <class F>
__device__ __forceinline__ void load_rows(const Attention& call, VectorTile<F::kSide, F::kChunks>& to, const float* from, size_t row,
                                          uint32_t there) {
  for (uint32_t i = threadIdx.x; i < F::kSide * F::kChunks; i += F::kThreads) {
    const uint32_t r = i / F::kChunks, c = i % F::kChunks;
    to.chunk(r, c) = r < there ? load_chunk(call, from + r * row, c) : make_float4(0.f, 0.f, 0.f, 0.f);
  }
}

// s[r][c] = row (down kRows + r) of a times row (4 across + c) of b.
template <class F>
__device__ __forceinline__ void scores_of(VectorTile<F::kSide, F::kChunks>& a, VectorTile<F::kSide, F::kChunks>& b, uint32_t chunks,
                                          uint32_t down, uint32_t across, float (&s)[F::kRows][4]) {
#pragma unroll
  for (uint32_t r = 0; r < F::kRows; r++)
#pragma unroll
    for (uint32_t c = 0; c < 4; c++) s[r][c] = 0;
#pragma unroll 2
  for (uint32_t d = 0; d < chunks; d++) {
    float4 left[F::kRows];
#pragma unroll
    for (uint32_t r = 0; r < F::kRows; r++) left[r] = a.chunk(down * F::kRows + r, d);
#pragma unroll
    for (uint32_t c = 0; c < 4; c++) {
      const float4 right = b.chunk(4 * across + c, d);
#pragma unroll
      for (uint32_t r = 0; r < F::kRows; r++) s[r][c] = dot4(left[r], right, s[r][c]);
    }
  }
}

// sums[r] += row (down kRows + r) of p times the rows of b.
template <class F>
__device__ __forceinline__ void add_rows(VectorTile<F::kSide, F::kSide / 4>& p, VectorTile<F::kSide, F::kChunks>& b, uint32_t down,
                                         uint32_t across, float4 (&sums)[F::kRows][F::kMine]) {
  for (uint32_t k = 0; k < F::kSide / 4; k++) {
    float4 left[F::kRows];
#pragma unroll
    for (uint32_t r = 0; r < F::kRows; r++) left[r] = p.chunk(down * F::kRows + r, k);
#pragma unroll
    for (uint32_t i = 0; i < F::kMine; i++) {
      const uint32_t c = across + i * F::kAcross;
      const float4 b0 = b.chunk(4 * k, c), b1 = b.chunk(4 * k + 1, c), b2 = b.chunk(4 * k + 2, c), b3 = b.chunk(4 * k + 3, c);
#pragma unroll
      for (uint32_t r = 0; r < F::kRows; r++) {
        add4(sums[r][i], left[r].x, b0), add4(sums[r][i], left[r].y, b1);
        add4(sums[r][i], left[r].z, b2), add4(sums[r][i], left[r].w, b3);
      }
    }
  }
}

// sums[r] += column (down kRows + r) of p times the rows of b.
template <class F>
__device__ __forceinline__ void add_columns(VectorTile<F::kSide, F::kSide / 4>& p, VectorTile<F::kSide, F::kChunks>& b, uint32_t down,
                                            uint32_t across, float4 (&sums)[F::kRows][F::kMine]) {
#pragma unroll 2
  for (uint32_t q = 0; q < F::kSide; q++) {
    float left[F::kRows];
#pragma unroll
    for (uint32_t r = 0; r < F::kRows; r++) left[r] = p.element(q, down * F::kRows + r);
#pragma unroll
    for (uint32_t i = 0; i < F::kMine; i++) {
      const float4 right = b.chunk(q, across + i * F::kAcross);
#pragma unroll
      for (uint32_t r = 0; r < F::kRows; r++) add4(sums[r][i], left[r], right);
    }
  }
}

// Sum and maximum over the threads that share queries.
template <class F>
__device__ __forceinline__ float sum_across(float v) {
#pragma unroll
  for (uint32_t d = F::kAcross / 2; d > 0; d /= 2) v += __shfl_xor_sync(kWholeWarp, v, d);
  return v;
}
template <class F>
__device__ __forceinline__ float max_across(float v) {
#pragma unroll
  for (uint32_t d = F::kAcross / 2; d > 0; d /= 2) v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, d));
  return v;
}

// ---------------------------------------------------------------- forward

template <class F>
struct VectorForwardShared {
  VectorTile<F::kSide, F::kChunks> q, k, v;
  VectorTile<F::kSide, F::kSide / 4> p;
};

template <class F>
__global__ void __launch_bounds__(F::kThreads)
attention_vector_forward(const float* __restrict__ qkv, float* __restrict__ y, float* __restrict__ lse, const Attention call) {
  auto& s = shared_as<VectorForwardShared<F>>();
  clear_rows<F::kThreads>(call, y, call.hidden, blockIdx.x, gridDim.x);
  clear_rows<F::kThreads>(call, lse, call.heads, blockIdx.x, gridDim.x);
  const Head head = head_in_slot<F::kSide>(call, blockIdx.x / call.heads, blockIdx.x % call.heads);
  if (head.length == 0) return;
  const uint32_t across = threadIdx.x % F::kAcross, down = threadIdx.x / F::kAcross, chunks = (call.D + 3) / 4;
  const uint32_t q0 = head.first, nq = min(F::kSide, head.length - q0), end = call.causal() ? q0 + nq : head.length;
  const DropoutSite site = call.dropout.site();
  const size_t row = 3 * size_t(call.hidden);
  const float* q = qkv + head.start * row + head.a * call.D;
  float peak[F::kRows], total[F::kRows];
  float4 sums[F::kRows][F::kMine];
#pragma unroll
  for (uint32_t r = 0; r < F::kRows; r++) {
    peak[r] = -INFINITY, total[r] = 0;
#pragma unroll
    for (uint32_t i = 0; i < F::kMine; i++) sums[r][i] = make_float4(0.f, 0.f, 0.f, 0.f);
  }
  load_rows<F>(call, s.q, q + q0 * row, row, nq);
  for (uint32_t k0 = 0; k0 < end; k0 += F::kSide) {
    const uint32_t nk = min(F::kSide, end - k0);
    load_rows<F>(call, s.k, q + call.hidden + k0 * row, row, nk);
    load_rows<F>(call, s.v, q + 2 * call.hidden + k0 * row, row, nk);
    __syncthreads();
    float score[F::kRows][4];
    scores_of<F>(s.q, s.k, chunks, down, across, score);
#pragma unroll
    for (uint32_t r = 0; r < F::kRows; r++) {
      const uint32_t query = q0 + down * F::kRows + r, seen = call.causal() ? min(query + 1, end) : end;
      float top = -INFINITY;
#pragma unroll
      for (uint32_t c = 0; c < 4; c++) {
        score[r][c] = k0 + 4 * across + c < seen ? score[r][c] * call.factor : -INFINITY;
        top = fmaxf(top, score[r][c]);
      }
      const float before = peak[r];
      peak[r] = fmaxf(before, max_across<F>(top));
      const float shrink = expf(before - peak[r]);
      float4 e = make_float4(expf(score[r][0] - peak[r]), expf(score[r][1] - peak[r]), expf(score[r][2] - peak[r]),
                             expf(score[r][3] - peak[r]));
      total[r] = total[r] * shrink + ((e.x + e.y) + (e.z + e.w));
      if (site.threshold) e = kept4(site, k0 / 4 + across, (head.start + query) * call.heads + head.a, e);
      s.p.chunk(down * F::kRows + r, across) = e;
#pragma unroll
      for (uint32_t i = 0; i < F::kMine; i++) sums[r][i] = times4(sums[r][i], shrink);
    }
    __syncwarp();
    add_rows<F>(s.p, s.v, down, across, sums);
    __syncthreads();
  }
#pragma unroll
  for (uint32_t r = 0; r < F::kRows; r++) {
    const float sum = sum_across<F>(total[r]);
    const uint32_t query = q0 + down * F::kRows + r;
    if (query >= head.length) continue;
    float* to = y + (head.start + query) * size_t(call.hidden) + head.a * call.D;
#pragma unroll
    for (uint32_t i = 0; i < F::kMine; i++) store_chunk(call, to, across + i * F::kAcross, times4(sums[r][i], 1.f / sum));
    if (across == 0) lse[(head.start + query) * size_t(call.heads) + head.a] = peak[r] + logf(sum);
  }
}

// ---------------------------------------------------------------- backward
// dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)

template <class F>
struct VectorBackwardShared {
  VectorTile<F::kSide, F::kChunks> q, dy, k, v;
  VectorTile<F::kSide, F::kSide / 4> p, ds;
};

template <class F>
__global__ void __launch_bounds__(F::kThreads)
attention_vector_backward(const float* __restrict__ dy, const float* __restrict__ qkv, const float* __restrict__ y,
                          const float* __restrict__ lse, float* dqkv, const Attention call) {
  auto& s = shared_as<VectorBackwardShared<F>>();
  clear_rows<F::kThreads>(call, dqkv, 3 * call.hidden, blockIdx.x, gridDim.x);
  const uint32_t b = blockIdx.x / call.heads, a = blockIdx.x % call.heads;
  if (b >= call.sequences()) return;
  const Head head = head_of(call, b, a);
  const uint32_t across = threadIdx.x % F::kAcross, down = threadIdx.x / F::kAcross, chunks = (call.D + 3) / 4;
  const bool causal = call.causal();
  const DropoutSite site = call.dropout.site();
  const size_t row = 3 * size_t(call.hidden), narrow = call.hidden, at_head = a * call.D;
  const float* q = qkv + head.start * row + at_head;
  float* dq = dqkv + head.start * row + at_head;
  for (uint32_t k0 = 0; k0 < head.length; k0 += F::kSide) {
    const uint32_t nk = min(F::kSide, head.length - k0);
    load_rows<F>(call, s.k, q + narrow + k0 * row, row, nk);
    load_rows<F>(call, s.v, q + 2 * narrow + k0 * row, row, nk);
    float4 dk[F::kRows][F::kMine], dv[F::kRows][F::kMine];
#pragma unroll
    for (uint32_t r = 0; r < F::kRows; r++)
#pragma unroll
      for (uint32_t i = 0; i < F::kMine; i++) dk[r][i] = dv[r][i] = make_float4(0.f, 0.f, 0.f, 0.f);
    for (uint32_t q0 = causal ? k0 : 0; q0 < head.length; q0 += F::kSide) {
      const uint32_t nq = min(F::kSide, head.length - q0);
      load_rows<F>(call, s.q, q + q0 * row, row, nq);
      load_rows<F>(call, s.dy, dy + (head.start + q0) * narrow + at_head, narrow, nq);
      __syncthreads();
      float p[F::kRows][4], dp[F::kRows][4];
      scores_of<F>(s.q, s.k, chunks, down, across, p);
      scores_of<F>(s.dy, s.v, chunks, down, across, dp);
#pragma unroll
      for (uint32_t r = 0; r < F::kRows; r++) {
        const uint32_t mine = down * F::kRows + r, query = q0 + mine;
        const bool there = query < head.length;
        const uint32_t seen = !there ? 0 : causal ? min(query + 1, head.length) : head.length;
        const float* of_y = y + (head.start + query) * narrow + at_head;
        float delta = 0;
#pragma unroll
        for (uint32_t i = 0; i < F::kMine; i++) {
          const uint32_t c = across + i * F::kAcross;
          if (there) delta = dot4(s.dy.chunk(mine, c), load_chunk(call, of_y, c), delta);
        }
        delta = sum_across<F>(delta);
        const float log_sum = there ? lse[(head.start + query) * size_t(call.heads) + a] : 0.f;
        float e[4];
#pragma unroll
        for (uint32_t c = 0; c < 4; c++) e[c] = k0 + 4 * across + c < seen ? expf(p[r][c] * call.factor - log_sum) : 0.f;
        float4 kept = make_float4(e[0], e[1], e[2], e[3]), d = make_float4(dp[r][0], dp[r][1], dp[r][2], dp[r][3]);
        if (site.threshold) {
          const uint32_t group = k0 / 4 + across, plane = (head.start + query) * call.heads + a;
          kept = kept4(site, group, plane, kept), d = kept4(site, group, plane, d);
        }
        s.p.chunk(mine, across) = kept;
        s.ds.chunk(mine, across) = make_float4(e[0] * (d.x - delta), e[1] * (d.y - delta), e[2] * (d.z - delta), e[3] * (d.w - delta));
      }
      __syncthreads();
      add_columns<F>(s.p, s.dy, down, across, dv);
      add_columns<F>(s.ds, s.q, down, across, dk);
      float4 sums[F::kRows][F::kMine];
#pragma unroll
      for (uint32_t r = 0; r < F::kRows; r++)
#pragma unroll
        for (uint32_t i = 0; i < F::kMine; i++) sums[r][i] = make_float4(0.f, 0.f, 0.f, 0.f);
      add_rows<F>(s.ds, s.k, down, across, sums);
#pragma unroll
      for (uint32_t r = 0; r < F::kRows; r++) {
        const uint32_t query = q0 + down * F::kRows + r;
        if (query >= head.length) continue;
#pragma unroll
        for (uint32_t i = 0; i < F::kMine; i++) {
          const uint32_t c = across + i * F::kAcross;
          float* to = dq + query * row;
          float4 sum = times4(sums[r][i], call.factor);
          if (k0 > 0) add4(sum, 1.f, load_chunk(call, to, c));
          store_chunk(call, to, c, sum);
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (uint32_t r = 0; r < F::kRows; r++) {
      const uint32_t key = k0 + down * F::kRows + r;
      if (key >= head.length) continue;
#pragma unroll
      for (uint32_t i = 0; i < F::kMine; i++) {
        const uint32_t c = across + i * F::kAcross;
        store_chunk(call, dq + narrow + key * row, c, times4(dk[r][i], call.factor));
        store_chunk(call, dq + 2 * narrow + key * row, c, dv[r][i]);
      }
    }
  }
}

// ---------------------------------------------------------------- host

template <class F>
void record_vector_forward(Launch& launch, const Attention& call, uint32_t slots, const float* qkv, float* y, float* lse) {
  launch(attention_vector_forward<F>, slots * call.heads, F::kThreads, sizeof(VectorForwardShared<F>), qkv, y, lse, call);
}
template <class F>
void record_vector_backward(Launch& launch, const Attention& call, uint32_t sequences, const float* dy, const float* qkv, const float* y,
                            const float* lse, float* dqkv) {
  launch(attention_vector_backward<F>, sequences * call.heads, F::kThreads, sizeof(VectorBackwardShared<F>), dy, qkv, y, lse, dqkv, call);
}

using VectorForm64 = VectorForm<64, 64, 4>;
using VectorForm128 = VectorForm<128, 64, 4>;
using VectorForm256 = VectorForm<256, 32, 1>;

inline void vector_forward(Launch& launch, const Attention& call, uint32_t rows, uint32_t sequences, const float* qkv, float* y, float* lse) {
  if (call.D <= 64)
    record_vector_forward<VectorForm64>(launch, call, slots_for(rows, sequences, 64), qkv, y, lse);
  else if (call.D <= 128)
    record_vector_forward<VectorForm128>(launch, call, slots_for(rows, sequences, 64), qkv, y, lse);
  else
    record_vector_forward<VectorForm256>(launch, call, slots_for(rows, sequences, 32), qkv, y, lse);
}

inline void vector_backward(Launch& launch, const Attention& call, uint32_t sequences, const float* dy, const float* qkv, const float* y,
                            const float* lse, float* dqkv) {
  if (call.D <= 64)
    record_vector_backward<VectorForm64>(launch, call, sequences, dy, qkv, y, lse, dqkv);
  else if (call.D <= 128)
    record_vector_backward<VectorForm128>(launch, call, sequences, dy, qkv, y, lse, dqkv);
  else
    record_vector_backward<VectorForm256>(launch, call, sequences, dy, qkv, y, lse, dqkv);
}

}  // namespace
