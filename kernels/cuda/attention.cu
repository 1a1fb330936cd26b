// Multi-head attention over ragged sequences (Vaswani et al. 2017), softmax in one pass over tiles of keys
// (Milakov and Gimelshein 2018; Dao 2023, "FlashAttention-2"): probabilities are never in memory.
//
//   s = q k^T / sqrt(D),  p = softmax(s),  y = drop(p) v      for every sequence b and head a
//
// causal: query i of a sequence sees keys 0 .. i; tiles in which nothing is seen are not computed.
// qkv [N,3H]: query, key and value of head a start at column a D of each third. cu_seqlens [B+1]: rows of sequence b are
// cu_seqlens[b] .. cu_seqlens[b+1] - 1; rows past the last one give zeros, an empty sequence gives nothing.
// Saved for backward: lse [N,A] = log sum exp(s); backward computes p again from it, and uses delta = rowsum(dy y) =
// rowsum(p dp) for the gradient of the softmax. Dropout: element = key within the sequence, plane = row * A + head.
//
// This file is the entry points; which form computes what is said in the file of each.
#include "attention_hopper_backward.cuh"
#include "attention_hopper_forward.cuh"
#include "attention_mma.cuh"
#include "attention_mma_backward.cuh"
#include "attention_vector.cuh"

namespace {

template <class T>
Attention attention_of(Buffer<const T> qkv, Buffer<const int32_t> cu_seqlens, Param<uint32_t> rows, Param<uint32_t> sequences,
                       Param<uint32_t> heads, Param<uint32_t> hidden, Param<uint32_t> causal, DropoutParams dropout) {
  const uint32_t D = hidden.most / heads.most;
  const bool vector = is_aligned(qkv.data) && hidden.most * sizeof(T) % 16 == 0 && D * sizeof(T) % 16 == 0;
  return {cu_seqlens.data, rows, sequences, causal, dropout, heads.most, hidden.most, D, 1.0f / sqrtf(float(D)), vector};
}

// Sizes at capacity, and whether masks have to be drawn at all.
struct Sizes {
  uint32_t rows, sequences;
  bool drops;
};

inline bool is_for_hopper(const Launch& launch, const Attention& call) {
  return launch.chip().capability == 90 && call.D == 64 && call.vector;
}

// ---------------------------------------------------------------- forward

inline void forward(Launch& launch, const Attention& call, Sizes most, const float* qkv, float* y, float* lse) {
  vector_forward(launch, call, most.rows, most.sequences, qkv, y, lse);
}
inline void forward(Launch& launch, const Attention& call, Sizes most, const bf16* qkv, bf16* y, float* lse) {
  if (is_for_hopper(launch, call)) return hopper_forward(launch, call, most.drops, most.rows, most.sequences, qkv, y, lse);
  mma_forward(launch, call, most.drops, most.rows, most.sequences, qkv, y, lse);
}

template <class T>
void attention_forward(Launch& launch, Buffer<const T> qkv, Buffer<const int32_t> cu_seqlens, Buffer<T> y, Buffer<float> lse,
                       Param<uint32_t> rows, Param<uint32_t> sequences, Param<uint32_t> heads, Param<uint32_t> hidden,
                       Param<uint32_t> causal, Param<float> p, Param<uint32_t> seed, Param<uint32_t> draw, Param<uint32_t> stream,
                       Param<uint32_t> layer) {
  Attention call = attention_of(qkv, cu_seqlens, rows, sequences, heads, hidden, causal, {p, seed, draw, stream, layer});
  call.vector = call.vector && is_aligned(y.data);
  const Sizes most{uint32_t(y.size / call.hidden), uint32_t(cu_seqlens.size) - 1, !p.is_constant() || p.most > 0};
  forward(launch, call, most, qkv.data, y.data, lse.data);
}

// ---------------------------------------------------------------- backward

inline void backward(Launch& launch, const Attention& call, Sizes most, const float* dy, const float* qkv, const float* y,
                     const float* lse, float* dqkv) {
  vector_backward(launch, call, most.sequences, dy, qkv, y, lse, dqkv);
}
inline void backward(Launch& launch, const Attention& call, Sizes most, const bf16* dy, const bf16* qkv, const bf16* y, const float* lse,
                     bf16* dqkv) {
  // short sequences fill blocks of four warps better
  const bool is_short = most.rows / 64 <= most.sequences;
  if (is_for_hopper(launch, call) && !is_short)
    return hopper_backward(launch, call, most.drops, most.rows, most.sequences, dy, qkv, y, lse, dqkv);
  mma_backward(launch, call, most.drops, most.rows, most.sequences, dy, qkv, y, lse, dqkv);
}

template <class T>
void attention_backward(Launch& launch, Buffer<const T> dy, Buffer<const T> qkv, Buffer<const int32_t> cu_seqlens, Buffer<const T> y,
                        Buffer<const float> lse, Buffer<T> dqkv, Param<uint32_t> rows, Param<uint32_t> sequences, Param<uint32_t> heads,
                        Param<uint32_t> hidden, Param<uint32_t> causal, Param<float> p, Param<uint32_t> seed, Param<uint32_t> draw,
                        Param<uint32_t> stream, Param<uint32_t> layer) {
  Attention call = attention_of(qkv, cu_seqlens, rows, sequences, heads, hidden, causal, {p, seed, draw, stream, layer});
  call.vector = call.vector && is_aligned(y.data) && is_aligned(dy.data) && is_aligned(dqkv.data);
  const Sizes most{uint32_t(y.size / call.hidden), uint32_t(cu_seqlens.size) - 1, !p.is_constant() || p.most > 0};
  backward(launch, call, most, dy.data, qkv.data, y.data, lse.data, dqkv.data);
}

}  // namespace

EXPORT_KERNELS(attention, KERNELS(attention_forward), KERNELS(attention_backward))
