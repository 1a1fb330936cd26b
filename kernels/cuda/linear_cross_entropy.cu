// Projection onto a vocabulary and cross-entropy without the logits in memory:
//
//   logits[m,v] = sum_e x[m,e] weight[v,e] + bias[v],   lse[m] = log sum_v exp(logits[m,v]),   loss[m] = lse[m] - logits[m,label]
//   dlogits[m,v] = dloss[m] (exp(logits[m,v] - lse[m]) - [v = label]),   x [rows, width], weight [vocabulary, width]
//
// Products are of f32 in three parts of bf16 on tensor cores (parts.cuh, product_mma.cuh), as exact as those of f32.
// Work split: forward, a block computes the logits of 128 rows and a chunk of 256 words, twice 128 of them, in registers and
// leaves the largest, the sum of exponentials and the label's logit of every row in `statistics`; then a thread a row joins
// the chunks in order (online softmax, Milakov and Gimelshein 2018). Backward takes the words in groups: dlogits of a group
// are written in parts (in `partial`, if it has room for 1024 words, else in scratch), then dx += dlogits weight and
// dweight += dlogits^T x, which brings dbias. Groups follow each other, so dx adds up in their order.
// Numerics: a logit that is not finite makes the loss of its row NaN, and so does a label past the vocabulary; a label
// below 0 gives loss 0 and no gradient. Saved for backward: lse.
// Floor: forward 6, backward 18 times 2 M V E operations over the rate of bf16, and 18 bytes a logit, once written, twice read.
#include "parts.cuh"
#include "product_mma.cuh"


namespace {

constexpr uint32_t kChunk = 256;            // VOCABULARY_CHUNK
constexpr uint32_t kFewestWords = 1024;     // of a group, unless the vocabulary has fewer
constexpr uint32_t kGroupWords = 4096;      // of a group in scratch
constexpr uint32_t kThreads = 128;
constexpr uint32_t kParts = 3, kExact = 6;  // of each operand, and products of them
using Tile = MmaSquare;
static_assert(Tile::kThreads == Tile::kM && kChunk % Tile::kN == 0, "a thread a row, a chunk is whole tiles");

// ---------------------------------------------------------------- forward

// Of the rows of a tile, from each warp that has columns of them.
struct RowParts {
  float largest[Tile::kWarpsN][Tile::kM];
  float sums[Tile::kWarpsN][Tile::kM];
  uint32_t first[Tile::kWarpsN][Tile::kM];
};

struct ChunkShared {
  union {
    MmaShared<Tile> tile;
    RowParts rows;
  };
  // of the tiles so far
  float largest[Tile::kM], total[Tile::kM];
  uint32_t first[Tile::kM];
};

struct Chunk {
  MmaOperands operands;
  Param<uint32_t> rows;
  uint32_t depth, vocabulary, chunks;
  const float* bias;
  const int32_t* labels;
  float* statistics;  // [chunks + 1, 2, rows]: largest and sum of each chunk; logit of the label, whether it is its chunk's first largest
};

// f(i, half, row in the tile): the rows of a thread's sums.
template <class F>
__device__ __forceinline__ void each_row(F f) {
#pragma unroll
  for (uint32_t i = 0; i < Tile::kFragmentsM; i++)
#pragma unroll
    for (uint32_t half = 0; half < 2; half++) f(i, half, warp() / Tile::kWarpsN * Tile::kWarpM + i * 16 + half * 8 + lane() / 4);
}

// Over the four lanes that share a row.
__device__ __forceinline__ float row_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(kWholeWarp, v, 1));
  return fmaxf(v, __shfl_xor_sync(kWholeWarp, v, 2));
}
__device__ __forceinline__ float row_sum(float v) {
  v += __shfl_xor_sync(kWholeWarp, v, 1);
  return v + __shfl_xor_sync(kWholeWarp, v, 2);
}
__device__ __forceinline__ uint32_t row_min(uint32_t v) {
  v = min(v, __shfl_xor_sync(kWholeWarp, v, 1));
  return min(v, __shfl_xor_sync(kWholeWarp, v, 2));
}

__global__ void __launch_bounds__(kThreads, Tile::kBlocks) chunk_statistics(Chunk p) {
  auto& s = shared_as<ChunkShared>();
  constexpr uint32_t kNone = 0xffffffffu;
  const uint32_t rows = p.rows();
  const TilePlace place = tile_place(blockIdx.x, 1, (rows + Tile::kM - 1) / Tile::kM, p.chunks);
  if (!place.there) return;
  const uint32_t m0 = place.m * Tile::kM, end = min((place.n + 1) * kChunk, p.vocabulary);
  const Stretch whole{0, (p.depth + Tile::kK - 1) / Tile::kK * kExact};

  for (uint32_t n0 = place.n * kChunk; n0 < end; n0 += Tile::kN) {
    MmaSums<Tile, false> sums;
    mma_tile<Tile, true, true, true, kExact, false>(s.tile, p.operands, m0, n0, rows, p.vocabulary, p.depth, whole, false, sums);

    // the first column of this thread; words past the last one count as if they were not there
    const uint32_t thread = computed_here(threadIdx.x);
    const uint32_t columns = thread / kWarp % Tile::kWarpsN * Tile::kWarpN + thread % 4 * 2;
#pragma unroll
    for (uint32_t j = 0; j < Tile::kFragmentsN; j++)
#pragma unroll
      for (uint32_t q = 0; q < 2; q++) {
        const uint32_t v = n0 + columns + j * 8 + q;
        const float bias = v < end ? p.bias[v] : 0;
#pragma unroll
        for (uint32_t i = 0; i < Tile::kFragmentsM; i++) sums.c[i][j][q] += bias, sums.c[i][j][q + 2] += bias;
      }
    each_row([&](uint32_t i, uint32_t half, uint32_t row) {
      float top = -INFINITY;
#pragma unroll
      for (uint32_t j = 0; j < Tile::kFragmentsN; j++)
#pragma unroll
        for (uint32_t q = 0; q < 2; q++)
          if (n0 + columns + j * 8 + q < end) top = fmaxf(top, sums.c[i][j][2 * half + q]);
      top = row_max(top);
      if (lane() % 4 == 0) s.rows.largest[warp() % Tile::kWarpsN][row] = top;
    });
    __syncthreads();
    const uint32_t first_row = computed_here(m0);
    each_row([&](uint32_t i, uint32_t half, uint32_t row) {
      float top = s.rows.largest[0][row];
#pragma unroll
      for (uint32_t w = 1; w < Tile::kWarpsN; w++) top = fmaxf(top, s.rows.largest[w][row]);
      const uint32_t label = first_row + row < rows ? uint32_t(p.labels[first_row + row]) : kNone;
      float sum = 0;
      uint32_t at = kNone;
#pragma unroll
      for (uint32_t j = 0; j < Tile::kFragmentsN; j++)
#pragma unroll
        for (uint32_t q = 0; q < 2; q++) {
          const uint32_t v = n0 + columns + j * 8 + q;
          const float logit = sums.c[i][j][2 * half + q], d = logit - top;
          const float term = fmaf(d, 0.0f, expf(d));  // NaN for what is not finite
          sum += v < end ? term : 0.0f;
          if (v < end && logit == top) at = min(at, v);
          if (v < end && v == label) p.statistics[size_t(p.chunks) * 2 * rows + first_row + row] = logit;
        }
      sum = row_sum(sum);
      at = row_min(at);
      if (lane() % 4 == 0) {
        s.rows.sums[warp() % Tile::kWarpsN][row] = sum;
        s.rows.first[warp() % Tile::kWarpsN][row] = at;
      }
    });
    __syncthreads();
    const uint32_t row = threadIdx.x;
    float top = s.rows.largest[0][row], sum = s.rows.sums[0][row];
    uint32_t at = s.rows.first[0][row];
#pragma unroll
    for (uint32_t w = 1; w < Tile::kWarpsN; w++) {
      top = fmaxf(top, s.rows.largest[w][row]);
      sum += s.rows.sums[w][row];
      at = min(at, s.rows.first[w][row]);
    }
    if (n0 % kChunk != 0) {
      const float before = s.largest[row], both = fmaxf(before, top);
      if (!(top > before)) at = s.first[row];
      sum = s.total[row] * expf(before - both) + sum * expf(top - both);
      top = both;
    }
    s.largest[row] = top, s.total[row] = sum, s.first[row] = at;
    __syncthreads();  // the rows have been read
  }
  const uint32_t m = m0 + threadIdx.x, chunk = (end - 1) / kChunk;
  if (m >= rows) return;
  p.statistics[size_t(chunk) * 2 * rows + m] = s.largest[threadIdx.x];
  p.statistics[size_t(chunk) * 2 * rows + rows + m] = s.total[threadIdx.x];
  const uint32_t label = uint32_t(p.labels[m]);
  if (label >= chunk * kChunk && label < end)
    p.statistics[(size_t(p.chunks) * 2 + 1) * rows + m] = s.first[threadIdx.x] == label ? 1.0f : 0.0f;
}

__global__ void __launch_bounds__(kThreads)
join_chunks(const float* __restrict__ statistics, const int32_t* __restrict__ labels, float* __restrict__ loss,
            float* __restrict__ lse, float* __restrict__ correct, Param<uint32_t> given_rows, uint32_t vocabulary) {
  const uint32_t rows = given_rows(), chunks = (vocabulary + kChunk - 1) / kChunk, m = blockIdx.x * kThreads + threadIdx.x;
  if (m >= rows) return;
  const float* const at = statistics + m;
  const size_t step = size_t(2) * rows;
  float top = at[0];
#pragma unroll 8
  for (uint32_t c = 1; c < chunks; c++) {
    const float other = at[c * step];
    top = other > top ? other : top;
  }
  const uint32_t label = uint32_t(labels[m]);
  const bool has_label = label < vocabulary, is_ignored = labels[m] < 0;
  const float label_logit = has_label ? at[chunks * step] : 0;
  bool is_best = has_label && at[chunks * step + rows] > 0;
  double total = 0;
#pragma unroll 4
  for (uint32_t c = 0; c < chunks; c++) {
    const float largest = at[c * step], sum = at[c * step + rows];
    total += double(sum) * exp(double(largest) - double(top));
    // the first of equal logits is the guess
    if (c < label / kChunk ? !(largest < label_logit) : !(largest <= label_logit)) is_best = false;
  }
  const double found = double(top) + log(total);
  lse[m] = float(found);
  loss[m] = has_label ? float(found - double(label_logit)) : is_ignored ? 0.0f : NAN;
  correct[m] = is_best ? 1.0f : 0.0f;
}

void linear_cross_entropy_forward(Launch& launch, Buffer<const float> x, Buffer<const float> weight, Buffer<const float> bias,
                                  Buffer<const int32_t> labels, Buffer<float> loss, Buffer<float> lse, Buffer<float> correct,
                                  Buffer<float> statistics, Param<uint32_t> rows, Param<uint32_t> width, Param<uint32_t> vocabulary) {
  const uint32_t depth = to_eights(width.most), most = uint32_t(labels.size);
  const bf16* x_parts = record_parts<kParts>(launch, x, rows, width.most);
  const bf16* weight_parts = record_parts<kParts>(launch, weight, vocabulary, width.most);
  const MmaOperands operands{x_parts, weight_parts, kParts * depth, kParts * depth, depth, depth};
  const uint32_t chunks = ceil_div(vocabulary.most, kChunk);
  launch(chunk_statistics, ceil_div(most, Tile::kM) * chunks, kThreads, sizeof(ChunkShared),
         Chunk{operands, rows, depth, vocabulary.most, chunks, bias.data, labels.data, statistics.data});
  launch(join_chunks, ceil_div(most, kThreads), kThreads, 0, statistics.data, labels.data, loss.data, lse.data, correct.data, rows,
         vocabulary.most);
}

// ---------------------------------------------------------------- backward

// dlogits of a group of words in parts; zeros for words past the last one.
struct StoreDlogits {
  bf16* parts;
  uint32_t words8, first, vocabulary;
  const float* bias;
  const float* lse;
  const float* dloss;
  const int32_t* labels;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    const uint32_t label = uint32_t(labels[row]);
    const bool has_label = label < vocabulary;
    const float scale = dloss[row], total = lse[row];
    float v[kN];
#pragma unroll
    for (uint32_t i = 0; i < kN; i++) {
      const uint32_t word = first + column + i;
      const bool counts = has_label && word < vocabulary;
      const float p = expf(sums[i] + bias[counts ? word : 0] - total);
      v[i] = counts ? scale * p - (word == label ? scale : 0.0f) : 0.0f;
    }
    store_parts<kParts>(parts + size_t(row) * kParts * words8 + column, words8, v);
  }
  bool wide() const { return true; }
};

// The words of a group: as many as there is memory for, all groups about the same.
inline uint32_t words_of_group(uint32_t vocabulary, uint64_t most) {
  const uint32_t words = most < vocabulary ? uint32_t(most) : vocabulary, groups = ceil_div(vocabulary, words);
  return ceil_div(ceil_div(vocabulary, groups), 8) * 8;
}

void linear_cross_entropy_backward(Launch& launch, Buffer<const float> dloss, Buffer<const float> x, Buffer<const float> weight,
                                   Buffer<const float> bias, Buffer<const int32_t> labels, Buffer<const float> lse, Buffer<float> dx,
                                   Buffer<float> dweight, Buffer<float> dbias, Buffer<float> partial, Param<uint32_t> rows,
                                   Param<uint32_t> width, Param<uint32_t> vocabulary) {
  const uint32_t depth = to_eights(width.most), most = uint32_t(labels.size), all = to_eights(vocabulary.most);
  const bf16* x_parts = record_parts<kParts>(launch, x, rows, width.most);
  const bf16* weight_parts = record_parts<kParts>(launch, weight, vocabulary, width.most);
  const uint64_t room = partial.size * 2 / kParts / most / 8 * 8;  // words
  const bool fits = room >= (all < kFewestWords ? all : kFewestWords) && aligned_16(partial.data);
  const uint32_t group = words_of_group(all, fits ? room : kGroupWords);
  bf16* dlogits = fits ? reinterpret_cast<bf16*>(partial.data) : launch.scratch<bf16>(size_t(most) * group * kParts);
  for (uint32_t first = 0; first < all; first += group) {
    const uint32_t words8 = all - first < group ? all - first : group;
    const uint32_t words = vocabulary.most - first < words8 ? vocabulary.most - first : words8;
    const bf16* of_words = weight_parts + size_t(first) * kParts * depth;

    Product<bf16> logits;
    logits.a = x_parts, logits.b = of_words;
    logits.a_pitch = logits.b_pitch = constant(kParts * depth);
    logits.a_part = logits.b_part = depth;
    logits.m = rows, logits.n = words8, logits.k = constant(depth);
    logits.most_m = most, logits.most_k = depth;
    product_mma<true, true, false, kExact>(
        launch, logits, StoreDlogits{dlogits, words8, first, vocabulary.most, bias.data, lse.data, dloss.data, labels.data});

    Product<bf16> to_x;
    to_x.a = dlogits, to_x.b = of_words;
    to_x.a_pitch = constant(kParts * words8), to_x.b_pitch = constant(kParts * depth);
    to_x.a_part = words8, to_x.b_part = depth;
    to_x.m = rows, to_x.n = width.most, to_x.k = constant(words8);
    to_x.most_m = most, to_x.most_k = words8;
    if (first == 0)
      product_mma<true, false, false, kExact>(launch, to_x, Store<float>{dx.data, width.most});
    else
      product_mma<true, false, false, kExact>(launch, to_x, Accumulate{dx.data, width.most});

    Product<bf16> to_weight;
    to_weight.a = dlogits, to_weight.b = x_parts;
    to_weight.a_pitch = constant(kParts * words8), to_weight.b_pitch = constant(kParts * depth);
    to_weight.a_part = words8, to_weight.b_part = depth;
    to_weight.m = constant(words), to_weight.n = width.most, to_weight.k = rows;
    to_weight.most_m = words, to_weight.most_k = most;
    to_weight.sums = dbias.data + first;
    product_mma<false, false, true, kExact>(launch, to_weight, Accumulate{dweight.data + size_t(first) * width.most, width.most});
  }
}

}  // namespace

EXPORT_KERNELS(linear_cross_entropy, KERNEL(linear_cross_entropy_forward), KERNEL(linear_cross_entropy_backward))
