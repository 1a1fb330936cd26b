// Multi-head attention over ragged sequences (Vaswani et al. 2017), softmax in one pass over blocks of keys
// (Milakov and Gimelshein 2018; Dao 2023, "FlashAttention-2"): probabilities never leave the cache.
//
//   s = q k^T / sqrt(D),  p = softmax(s),  y = drop(p) v      for every sequence b and head a
//
// causal: query i of a sequence sees keys 0 .. i; blocks in which nothing is seen are not computed.
// qkv [N,3H]: query, key and value of head a start at column a D of each third. cu_seqlens [B+1]: rows of sequence b are
// cu_seqlens[b] .. cu_seqlens[b+1] - 1; rows past the last one give zeros, an empty sequence gives nothing.
//
// Work split: one task is one head of one sequence. Saved for backward: lse [N,A] = log sum exp(s); backward computes p
// again from it, and uses delta = rowsum(dy y) = rowsum(p dp) for the gradient of the softmax.
// Dropout: element = key within the sequence, plane = row * A + head.
// bf16 goes through tiles where they are; everything else computes in f32.
#include "attention.h"
#include "attention_vector.h"
#if defined(BIOALBERT_TILES)
#include "attention_tile.h"
#endif

namespace {

// What a thread holds while it computes heads of type T.
template <class T>
struct Held {};

template <class T>
inline void head_forward(const Attention& call, const Head& head, float* scratch, const T* qkv, T* y, float* lse) {
  vector_forward(call, head, scratch, qkv, y, lse);
}
template <class T>
inline void head_backward(const Attention& call, const Head& head, float* scratch, const T* dy, const T* qkv, const T* y,
                          const float* lse, T* dqkv) {
  vector_backward(call, head, scratch, dy, qkv, y, lse, dqkv);
}

#if defined(BIOALBERT_TILES)
template <>
struct Held<bf16> {
  TileScope tiles;
};
inline void head_forward(const Attention& call, const Head& head, float* scratch, const bf16* qkv, bf16* y, float* lse) {
  tile_forward(call, head, scratch, qkv, y, lse);
}
inline void head_backward(const Attention& call, const Head& head, float* scratch, const bf16* dy, const bf16* qkv, const bf16* y,
                          const float* lse, bf16* dqkv) {
  tile_backward(call, head, scratch, dy, qkv, y, lse, dqkv);
}
#endif

// ---------------------------------------------------------------- forward

template <class T>
void attention_forward(Team& team, const T* qkv, const int32_t* cu_seqlens, T* y, float* lse, uint32_t rows,
                       uint32_t sequences, uint32_t heads, uint32_t hidden, uint32_t causal, float p, uint32_t seed, uint32_t draw,
                       uint32_t stream, uint32_t layer) {
  const Attention call = attention_of(heads, hidden, causal, p, seed, draw, stream, layer);
  [[maybe_unused]] const Held<T> held{};
  // read now: when the last phase ends, a thread that is ahead may already be in the next kernel and write there
  const uint32_t end = uint32_t(cu_seqlens[sequences]);
  each_head(team, call, cu_seqlens, sequences,
            [&](const Head& head) { head_forward(call, head, team.scratch(), qkv, y, lse); });
  if (end < rows)
    each(team, rows - end, [&](uint32_t r) {
      memset(y + size_t(end + r) * hidden, 0, hidden * sizeof(T));
      memset(lse + size_t(end + r) * heads, 0, heads * sizeof(float));
    });
}

// ---------------------------------------------------------------- backward
// dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)

template <class T>
void attention_backward(Team& team, const T* dy, const T* qkv, const int32_t* cu_seqlens, const T* y, const float* lse, T* dqkv,
                        uint32_t rows, uint32_t sequences, uint32_t heads, uint32_t hidden, uint32_t causal, float p,
                        uint32_t seed, uint32_t draw, uint32_t stream, uint32_t layer) {
  const Attention call = attention_of(heads, hidden, causal, p, seed, draw, stream, layer);
  [[maybe_unused]] const Held<T> held{};
  // read now: when the last phase ends, a thread that is ahead may already be in the next kernel and write there
  const uint32_t end = uint32_t(cu_seqlens[sequences]);
  each_head(team, call, cu_seqlens, sequences,
            [&](const Head& head) { head_backward(call, head, team.scratch(), dy, qkv, y, lse, dqkv); });
  if (end < rows)
    each(team, rows - end, [&](uint32_t r) { memset(dqkv + size_t(end + r) * call.row, 0, call.row * sizeof(T)); });
}

}  // namespace

EXPORT_KERNELS(attention, KERNELS(attention_forward), KERNELS(attention_backward))
