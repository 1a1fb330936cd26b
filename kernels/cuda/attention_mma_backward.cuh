// Attention in bf16 on mma.sync, backward: one block for a head of a sequence, everything computed once, no atomics.
//
//   dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)
//
// Keys are the outer loop, 16 to a warp, whose dk and dv stay in registers; queries the inner one, two tiles of q and dy under
// way by cp.async. Scores and dp are made with keys down and queries across: so p and ds, rounded to bf16, are the A of dv
// and dk as they lie in registers. Only ds goes through shared memory, for dq, whose sum over keys crosses the warps: they
// share out the queries and columns of the tile. With more keys than one turn of the outer loop has, dq waits as f32 in scratch,
// where each element belongs to one thread, and is rounded in its last turn.
// lse to the base of 2 and delta = rowsum(dy y) are written to scratch first, so that two rows are one copy of 16 bytes.
// Columns of dq, dk and dv beyond kSlice, for heads of more than 128, are other blocks' (grid y), which make p and ds again.
// Keys that only fill up a tile are masked: beside scores of -256 that of a row of zeros would have an infinite p.
//
// Floor of a head of S rows at D = 64: 10 S^2 D operations, S^2 exponentials; on Hopper 40,960 and 16,384 cycles at S = 512.
// A warp reads 46 KB of shared memory for 160 products of its tile of 16 x 64, so this form ends at 0.44 products a cycle, 88%
// of an A100's tensor cores and 43% of a Hopper's.
#pragma once
#include "attention_mask.cuh"
#include "attention_tile.cuh"

namespace {

template <uint32_t kD_, uint32_t kSlice_, uint32_t kWarps_, uint32_t kQueries_, bool kDrops_>
struct MmaBackwardForm {
  static constexpr uint32_t kD = kD_, kSlice = kSlice_, kWarps = kWarps_, kThreads = kWarps * kWarp, kKeys = 16 * kWarps;
  static constexpr uint32_t kQueries = kQueries_;
  // fragments of keys and values stay in registers where there is room
  static constexpr bool kDrops = kDrops_, kHoldsKeys = kD <= 64, kHoldsValues = kD <= 32 || (kD <= 64 && !kDrops);
  // dq: a warp has 16 queries and an equal share of the columns
  static constexpr uint32_t kShares = kWarps / (kQueries / 16), kShare = kSlice / kShares;
  static_assert(kWarps % (kQueries / 16) == 0 && kShare % 16 == 0, "shares of dq");
};

template <class F>
struct MmaBackwardShared {
  Tile<F::kKeys, F::kD> k, v;
  Tile<F::kQueries, F::kD> q[2], dy[2];
  Tile<F::kKeys, F::kQueries> ds;
  float4 row[2][F::kQueries / 2];  // lse to the base of 2 and delta, of two queries
};

// Where lse and delta of the rows of a sequence begin: at an even place, room for an even number of them.
__device__ __forceinline__ uint32_t row_place(uint32_t start, uint32_t b) { return (start + 1) / 2 * 2 + 2 * b; }
inline size_t row_places(uint32_t rows, uint32_t sequences) { return size_t(rows + 1) / 2 * 2 + 2 * size_t(sequences); }

template <class F>
struct MmaBackward {
  static constexpr uint32_t kSteps = F::kD / 16, kBlocks = F::kQueries / 8, kColumns = F::kSlice / 8, kShareBlocks = F::kShare / 8;
  MmaBackwardShared<F>& s;
  const Attention& call;
  const DropoutSite& site;
  const Head& head;
  const uint32_t slice;  // first column
  float2* const rows;    // of the head
  float* const partial;  // dq of the head's first row
  const size_t partial_row;
  uint32_t k[F::kHoldsKeys ? kSteps : 1][4], v[F::kHoldsValues ? kSteps : 1][4];
  float dk[kColumns][4], dv[kColumns][4];
  KeyWords words;

  // rows[r] = {lse log2(e), delta}: eight lanes a row. Those of the first tile go to shared memory too.
  __device__ __forceinline__ void prepare_rows(const bf16* dy, const bf16* y, const float* lse) {
#pragma unroll 2
    for (uint32_t r0 = 4 * warp(); r0 < max(head.length, F::kQueries); r0 += 4 * F::kWarps) {
      const uint32_t r = r0 + lane() / 8;
      const bool there = r < head.length;
      float sum = 0;
      for (uint32_t c = lane() % 8 * 8; there && c < call.D; c += 64) {
        const size_t at = (head.start + r) * size_t(call.hidden) + head.a * call.D + c;
        if (call.vector) {
          const uint4 a = *reinterpret_cast<const uint4*>(dy + at), b = *reinterpret_cast<const uint4*>(y + at);
          const uint32_t left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
          for (uint32_t i = 0; i < 4; i++)
            sum = fmaf(high_bf16(left[i]), high_bf16(right[i]), fmaf(low_bf16(left[i]), low_bf16(right[i]), sum));
        } else {
          for (uint32_t i = 0; i < 8 && c + i < call.D; i++) sum = fmaf(to_float(dy[at + i]), to_float(y[at + i]), sum);
        }
      }
#pragma unroll
      for (uint32_t d = 4; d > 0; d /= 2) sum += __shfl_xor_sync(kWholeWarp, sum, d);
      if (lane() % 8 == 0) {
        const float log_sum = there ? lse[(head.start + r) * size_t(call.heads) + head.a] * kLog2e : 0.f;
        if (r < (head.length + 1) / 2 * 2) rows[r] = make_float2(log_sum, sum);
        if (r < F::kQueries) {
          float4& two = s.row[0][r / 2];
          (r % 2 ? two.z : two.x) = log_sum;
          (r % 2 ? two.w : two.y) = sum;
        }
      }
    }
  }

  __device__ __forceinline__ void load_queries(uint32_t q0, uint32_t at, bool with_rows, const bf16* q, const bf16* dy) {
    const uint32_t there = head.length - q0;
    load_tile<F::kThreads>(call, s.q[at], q + q0 * (3 * size_t(call.hidden)), 3 * size_t(call.hidden), there);
    load_tile<F::kThreads>(call, s.dy[at], dy + q0 * size_t(call.hidden), call.hidden, there);
    const uint32_t i = threadIdx.x;
    if (with_rows && i < F::kQueries / 2) cp_async_16(&s.row[at][i], 2 * i < there ? rows + q0 + 2 * i : rows, 2 * i < there);
    cp_async_commit();
  }

  __device__ __forceinline__ void begin_keys(uint32_t k0) {
    clear(dk);
    clear(dv);
    if (F::kDrops) words = key_words(site, (k0 + 16 * warp()) / 4 + lane() / 8 % 2 * 2 + lane() / 16);
#pragma unroll
    for (uint32_t d = 0; d < kSteps; d++) {
      if (F::kHoldsKeys) load_fragment<true, false>(k[F::kHoldsKeys ? d : 0], s.k, 16 * warp(), 16 * d);
      if (F::kHoldsValues) load_fragment<true, false>(v[F::kHoldsValues ? d : 0], s.v, 16 * warp(), 16 * d);
    }
  }

  // p and ds of the warp's keys against queries q0 on, as A of dv and dk; ds into shared memory too.
  __device__ __forceinline__ void gradients(uint32_t k0, uint32_t q0, uint32_t at, uint32_t (&p)[kBlocks / 2][4], uint32_t (&ds)[kBlocks / 2][4]) {
    const uint32_t g = lane() / 4, t = lane() % 4, key = k0 + 16 * warp() + g;
    const float factor = call.factor * kLog2e;
    float scores[kBlocks][4], dp[kBlocks][4];
    product<F::kHoldsKeys>(scores, k, s.k, s.q[at]);
    product<F::kHoldsValues>(dp, v, s.v, s.dy[at]);
    const uint32_t last = k0 + 16 * warp() + 15;
    const bool causal = call.causal() && last > q0;
    if (causal || last >= head.length) {
#pragma unroll
      for (uint32_t h = 0; h < 2; h++)
#pragma unroll
        for (uint32_t j = 0; j < kBlocks; j++)
#pragma unroll
          for (uint32_t e = 0; e < 2; e++)
            if (key + 8 * h >= head.length || (causal && key + 8 * h > q0 + 8 * j + 2 * t + e)) scores[j][2 * h + e] = -INFINITY;
    }
    uint32_t bits = 0;
    if (F::kDrops) {
#pragma unroll
      for (uint32_t j = 0; j < kBlocks; j++) {
        const uint32_t query = q0 + 8 * j + 2 * t + lane() / 4 % 2;
        bits |= kept_bits(site, words, query_words(site, (head.start + query) * call.heads + head.a), j);
      }
      bits = trade_columns(bits, lane());
    }
    const float scale = F::kDrops ? site.scale : 1.f;
#pragma unroll
    for (uint32_t j = 0; j < kBlocks; j++) {
      const float4 row = s.row[at][4 * j + t];
#pragma unroll
      for (uint32_t e = 0; e < 4; e++) {
        const float prob = exp2_fast(fmaf(scores[j][e], factor, -(e % 2 ? row.z : row.x)));
        const float d = F::kDrops ? kept_float(dp[j][e] * scale, bits, j, e) : dp[j][e];
        scores[j][e] = prob;
        dp[j][e] = prob * (d - (e % 2 ? row.w : row.y));
      }
    }
#pragma unroll
    for (uint32_t i = 0; i < kBlocks / 2; i++) {
      pack_a(p[i], scores[2 * i], scores[2 * i + 1]);
      pack_a(ds[i], dp[2 * i], dp[2 * i + 1]);
      if (F::kDrops)
#pragma unroll
        for (uint32_t e = 0; e < 4; e++) p[i][e] &= pair_mask(bits, 2 * i + e / 2, e % 2 ? 0xbbaau : 0x9988u);
#pragma unroll
      for (uint32_t e = 0; e < 4; e++)
        *reinterpret_cast<uint32_t*>(s.ds.row(16 * warp() + g + e % 2 * 8) + 16 * i + e / 2 * 8 + 2 * t) = ds[i][e];
    }
  }

  // c = 16 keys, from registers or from their tile, times the rows of b.
  template <bool kHeld, uint32_t kFragments>
  __device__ __forceinline__ void product(float (&c)[kBlocks][4], const uint32_t (&held)[kFragments][4], Tile<F::kKeys, F::kD>& keys,
                                          Tile<F::kQueries, F::kD>& b) {
    clear(c);
#pragma unroll
    for (uint32_t d = 0; d < kSteps; d++) {
      uint32_t a[4];
      if (!kHeld) load_fragment<true, false>(a, keys, 16 * warp(), 16 * d);
#pragma unroll
      for (uint32_t j = 0; j < kBlocks; j += 2) {
        uint32_t two[4];
        load_fragment<false, false>(two, b, 8 * j, 16 * d);
        if (kHeld)
          mma_two(c[j], c[j + 1], held[kHeld ? d : 0], two);
        else
          mma_two(c[j], c[j + 1], a, two);
      }
    }
  }

  // sums += a, 16 keys by the queries, times the columns of b.
  __device__ __forceinline__ void add_product(float (&sums)[kColumns][4], const uint32_t (&a)[kBlocks / 2][4], Tile<F::kQueries, F::kD>& b) {
#pragma unroll
    for (uint32_t i = 0; i < kBlocks / 2; i++)
#pragma unroll
      for (uint32_t c = 0; c < kColumns; c += 2) {
        uint32_t two[4];
        load_fragment<true, true>(two, b, 16 * i, slice + 8 * c);
        mma_two(sums[c], sums[c + 1], a[i], two);
      }
  }

  // The warp's share of dq of queries q0 on.
  __device__ __forceinline__ uint32_t share_row() const { return warp() / F::kShares * 16; }
  __device__ __forceinline__ uint32_t share_column() const { return slice + warp() % F::kShares * F::kShare; }
  __device__ __forceinline__ float* partial_at(uint32_t q0, uint32_t h) const {
    return partial + (q0 + share_row() + lane() / 4 + 8 * h) * partial_row + share_column() + lane() % 4 * 2;
  }

  __device__ __forceinline__ void resume_dq(float (&dq)[kShareBlocks][4], uint32_t k0, uint32_t q0) {
    clear(dq);
    if (k0 == 0) return;
#pragma unroll
    for (uint32_t h = 0; h < 2; h++)
      if (q0 + share_row() + lane() / 4 + 8 * h < head.length)
#pragma unroll
        for (uint32_t c = 0; c < kShareBlocks; c++) {
          const float2 two = *reinterpret_cast<const float2*>(partial_at(q0, h) + 8 * c);
          dq[c][2 * h] = two.x, dq[c][2 * h + 1] = two.y;
        }
  }

  __device__ __forceinline__ void add_dq(float (&dq)[kShareBlocks][4], uint32_t keys) {
#pragma unroll
    for (uint32_t k = 0; k < F::kKeys; k += 16) {
      if (k >= keys) break;
      uint32_t a[4];
      load_fragment<false, true>(a, s.ds, k, share_row());
#pragma unroll
      for (uint32_t c = 0; c < kShareBlocks; c += 2) {
        uint32_t two[4];
        load_fragment<true, true>(two, s.k, k, share_column() + 8 * c);
        mma_two(dq[c], dq[c + 1], a, two);
      }
    }
  }

  __device__ __forceinline__ void leave_dq(const float (&dq)[kShareBlocks][4], uint32_t q0, bool is_last, bf16* to, size_t row) {
#pragma unroll
    for (uint32_t h = 0; h < 2; h++) {
      const uint32_t query = q0 + share_row() + lane() / 4 + 8 * h;
      if (query < head.length)
#pragma unroll
        for (uint32_t c = 0; c < kShareBlocks; c++) {
          const float low = dq[c][2 * h], high = dq[c][2 * h + 1];
          const uint32_t column = share_column() + 8 * c + lane() % 4 * 2;
          if (!is_last) {
            *reinterpret_cast<float2*>(partial_at(q0, h) + 8 * c) = make_float2(low, high);
          } else if (call.vector) {
            if (column < call.D) *reinterpret_cast<uint32_t*>(to + query * row + column) = pack_bf16(low * call.factor, high * call.factor);
          } else {
            if (column < call.D) to[query * row + column] = from_float<bf16>(low * call.factor);
            if (column + 1 < call.D) to[query * row + column + 1] = from_float<bf16>(high * call.factor);
          }
        }
    }
  }

  // The warp's dk and dv go through its rows of the tiles of keys and values, which nobody reads any more.
  __device__ __forceinline__ void leave_keys(uint32_t k0, bf16* dk_to, size_t row) {
    put_rows(s.k, 16 * warp(), dk, call.factor, call.factor);
    put_rows(s.v, 16 * warp(), dv, F::kDrops ? site.scale : 1.f, F::kDrops ? site.scale : 1.f);
    __syncwarp();
    const uint32_t key = k0 + 16 * warp();
    if (key >= head.length) return;
    const uint32_t width = min(F::kSlice, call.D - slice);
    store_rows(call.vector, s.k, 16 * warp(), head.length - key, width, dk_to + key * row + slice, row);
    store_rows(call.vector, s.v, 16 * warp(), head.length - key, width, dk_to + call.hidden + key * row + slice, row);
  }
};

template <class F>
__global__ void __launch_bounds__(F::kThreads, F::kWarps <= 4 && F::kD <= 64 ? 2 : 1)
attention_mma_backward(const bf16* __restrict__ dy, const bf16* __restrict__ qkv, const bf16* __restrict__ y, const float* __restrict__ lse,
                       bf16* __restrict__ dqkv, float2* row_scratch, size_t rows_of_head, float* dq_scratch, const Attention call) {
  auto& s = shared_as<MmaBackwardShared<F>>();
  if (blockIdx.y == 0) clear_rows<F::kThreads>(call, dqkv, 3 * call.hidden, blockIdx.x, gridDim.x);
  const uint32_t b = blockIdx.x / call.heads, a = blockIdx.x % call.heads;
  if (b >= call.sequences() || blockIdx.y * F::kSlice >= call.D) return;
  const Head head = head_of(call, b, a);
  if (head.length == 0) return;
  const DropoutSite site = F::kDrops ? call.dropout.site() : DropoutSite{};
  const size_t row = 3 * size_t(call.hidden), of_head = a * call.D, partial_row = size_t(call.heads) * F::kD;
  const bf16* q = qkv + head.start * row + of_head;
  const bf16* dy_head = dy + head.start * size_t(call.hidden) + of_head;
  bf16* dq_to = dqkv + head.start * row + of_head;
  MmaBackward<F> here{s,
                      call,
                      site,
                      head,
                      uint32_t(blockIdx.y) * F::kSlice,
                      row_scratch + (size_t(blockIdx.y) * call.heads + a) * rows_of_head + row_place(head.start, b),
                      dq_scratch + head.start * partial_row + a * F::kD,
                      partial_row,
                      {}, {}, {}, {}, {}};
  const bool causal = call.causal();
  for (uint32_t k0 = 0; k0 < head.length; k0 += F::kKeys) {
    const uint32_t keys = min(F::kKeys, head.length - k0), first = causal ? k0 : 0;
    load_tile<F::kThreads>(call, s.k, q + call.hidden + k0 * row, row, keys);
    load_tile<F::kThreads>(call, s.v, q + 2 * call.hidden + k0 * row, row, keys);
    here.load_queries(first, 0, k0 > 0, q, dy_head);
    if (k0 == 0) {
      here.prepare_rows(dy, y, lse);
      __syncthreads();
    }
    for (uint32_t q0 = first, at = 0; q0 < head.length; q0 += F::kQueries, at = 1 - at) {
      cp_async_wait<0>();
      __syncthreads();
      if (q0 + F::kQueries < head.length) here.load_queries(q0 + F::kQueries, 1 - at, true, q, dy_head);
      if (q0 == first) here.begin_keys(k0);
      uint32_t p[F::kQueries / 16][4], ds[F::kQueries / 16][4];
      here.gradients(k0, q0, at, p, ds);
      float dq[F::kShare / 8][4];
      here.resume_dq(dq, k0, q0);
      here.add_product(here.dv, p, s.dy[at]);
      here.add_product(here.dk, ds, s.q[at]);
      __syncthreads();
      here.add_dq(dq, keys);
      const uint32_t end = causal ? min(q0 + F::kQueries, head.length) : head.length;
      here.leave_dq(dq, q0, k0 + F::kKeys >= end, dq_to, row);
    }
    __syncthreads();
    here.leave_keys(k0, dq_to + call.hidden, row);
    __syncthreads();
  }
}

// ---------------------------------------------------------------- host

template <uint32_t kD, uint32_t kSlice, uint32_t kWarps, uint32_t kQueries>
void record_mma_backward(Launch& launch, const Attention& call, bool drops, uint32_t rows, uint32_t sequences, const bf16* dy,
                         const bf16* qkv, const bf16* y, const float* lse, bf16* dqkv) {
  using Plain = MmaBackwardForm<kD, kSlice, kWarps, kQueries, false>;
  using Drops = MmaBackwardForm<kD, kSlice, kWarps, kQueries, true>;
  const size_t rows_of_head = row_places(rows, sequences), slices = kD / kSlice;
  float2* row_scratch = launch.scratch<float2>(rows_of_head * call.heads * slices);
  // one turn of the keys needs none
  float* dq_scratch = rows > Plain::kKeys ? launch.scratch<float>(size_t(rows) * call.heads * kD) : nullptr;
  launch(drops ? attention_mma_backward<Drops> : attention_mma_backward<Plain>, Grid(sequences * call.heads, uint32_t(slices)),
         Plain::kThreads, sizeof(MmaBackwardShared<Plain>), dy, qkv, y, lse, dqkv, row_scratch, rows_of_head, dq_scratch, call);
}

// Sequences that have at most 64 rows on average take blocks of four warps, two of which share a multiprocessor.
inline void mma_backward(Launch& launch, const Attention& call, bool drops, uint32_t rows, uint32_t sequences, const bf16* dy,
                         const bf16* qkv, const bf16* y, const float* lse, bf16* dqkv) {
  const bool is_short = rows / 64 <= sequences;
  const auto record = [&](auto form) { form(launch, call, drops, rows, sequences, dy, qkv, y, lse, dqkv); };
  if (call.D <= 32)
    record(is_short ? record_mma_backward<32, 32, 4, 64> : record_mma_backward<32, 32, 8, 64>);
  else if (call.D <= 64)
    record(is_short ? record_mma_backward<64, 64, 4, 64> : record_mma_backward<64, 64, 8, 64>);
  else if (call.D <= 96)
    record(record_mma_backward<96, 96, 4, 32>);
  else if (call.D <= 128)
    record(record_mma_backward<128, 128, 8, 32>);
  else
    record(record_mma_backward<256, 64, 4, 32>);
}

}  // namespace
