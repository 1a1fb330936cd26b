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
#include "attention_vector.cuh"

namespace {

template <class T>
Attention attention_of(Buffer<const T> qkv, Buffer<const int32_t> cu_seqlens, Param<uint32_t> rows, Param<uint32_t> sequences,
                       Param<uint32_t> heads, Param<uint32_t> hidden, Param<uint32_t> causal, DropoutParams dropout) {
  const uint32_t D = hidden.most / heads.most;
  const bool vector = is_aligned(qkv.data) && hidden.most * sizeof(T) % 16 == 0 && D * sizeof(T) % 16 == 0;
  return {cu_seqlens.data, rows, sequences, causal, dropout, heads.most, hidden.most, D, 1.0f / sqrtf(float(D)), vector};
}

// ---------------------------------------------------------------- forward

template <class T>
void attention_forward(Launch& launch, Buffer<const T> qkv, Buffer<const int32_t> cu_seqlens, Buffer<T> y, Buffer<float> lse,
                       Param<uint32_t> rows, Param<uint32_t> sequences, Param<uint32_t> heads, Param<uint32_t> hidden,
                       Param<uint32_t> causal, Param<float> p, Param<uint32_t> seed, Param<uint32_t> draw, Param<uint32_t> stream,
                       Param<uint32_t> layer) {
  Attention call = attention_of(qkv, cu_seqlens, rows, sequences, heads, hidden, causal, {p, seed, draw, stream, layer});
  call.vector = call.vector && is_aligned(y.data);
  vector_forward(launch, call, uint32_t(y.size / call.hidden), uint32_t(cu_seqlens.size) - 1, qkv.data, y.data, lse.data);
}

// ---------------------------------------------------------------- backward

template <class T>
void attention_backward(Launch& launch, Buffer<const T> dy, Buffer<const T> qkv, Buffer<const int32_t> cu_seqlens, Buffer<const T> y,
                        Buffer<const float> lse, Buffer<T> dqkv, Param<uint32_t> rows, Param<uint32_t> sequences, Param<uint32_t> heads,
                        Param<uint32_t> hidden, Param<uint32_t> causal, Param<float> p, Param<uint32_t> seed, Param<uint32_t> draw,
                        Param<uint32_t> stream, Param<uint32_t> layer) {
  Attention call = attention_of(qkv, cu_seqlens, rows, sequences, heads, hidden, causal, {p, seed, draw, stream, layer});
  call.vector = call.vector && is_aligned(y.data) && is_aligned(dy.data) && is_aligned(dqkv.data);
  vector_backward(launch, call, uint32_t(cu_seqlens.size) - 1, dy.data, qkv.data, y.data, lse.data, dqkv.data);
}

}  // namespace

EXPORT_KERNELS(attention, BIOALBERT_KERNEL("attention_forward", attention_forward<float>), BIOALBERT_KERNEL("attention_backward", attention_backward<float>))
