// What the forms of attention share (attention_vector.cuh in f32, attention_mma.cuh and attention_mma_backward.cuh in bf16):
// the parameters of a call, how blocks find their part of a ragged batch, and loads of rows whose length or address is odd.
//
// Sequences have unequal lengths that only the device knows. Forward numbers tiles of queries with gaps: those of sequence b
// begin at slot cu_seqlens[b] / tile + b, which always leaves room for ceil(length / tile) of them; so a grid of
// rows / tile + sequences slots serves every batch, a block finds its sequence by a search in which 32 lanes look at once
// (one load for 32 sequences, two for 1,024), and a slot that is a gap ends. Backward takes one block for each head of a
// sequence.
#pragma once
#include "kernel.cuh"
#include "philox.cuh"

namespace {

constexpr uint32_t kHeadMax = 256;  // largest head size D

struct Attention {
  const int32_t* cu_seqlens;
  Param<uint32_t> rows, sequences, causal;
  DropoutParams dropout;
  uint32_t heads, hidden, D;
  float factor;  // 1 / sqrt(D)
  bool vector;   // heads are multiples of 16 bytes, wherever they start
};

// One head of one sequence: rows start .. start + length - 1, of which a block takes the tile that begins at `first`.
struct Head {
  uint32_t a, start, length, first;
};

__device__ __forceinline__ Head head_of(const Attention& call, uint32_t b, uint32_t a) {
  const uint32_t start = uint32_t(call.cu_seqlens[b]);
  return {a, start, uint32_t(call.cu_seqlens[b + 1]) - start, 0};
}

// Slots of tiles of kTile rows that a batch needs at most.
__host__ __device__ constexpr uint32_t slots_for(uint32_t rows, uint32_t sequences, uint32_t tile) { return rows / tile + sequences; }

// Head a of the tile in a slot; length 0 if the slot is a gap. All lanes of a warp call it.
template <uint32_t kTile>
__device__ __forceinline__ Head head_in_slot(const Attention& call, uint32_t slot, uint32_t a) {
  uint32_t b = 0, count = call.sequences();
  if (count == 0) return {a, 0, 0, 0};
  while (count > 1) {
    const uint32_t step = (count + kWarp - 1) / kWarp, at = lane() * step;
    const bool before = at < count && uint32_t(call.cu_seqlens[b + at]) / kTile + b + at <= slot;
    const uint32_t last = uint32_t(__popc(__ballot_sync(kWholeWarp, before))) - 1;
    b += last * step;
    count = min(step, count - last * step);
  }
  Head head = head_of(call, b, a);
  head.first = (slot - head.start / kTile - b) * kTile;
  if (head.first >= head.length) head.length = 0;
  return head;
}

// Rows behind the last sequence become zeros; block `block` of `blocks` takes its share of them.
template <uint32_t kThreads, class T>
__device__ __forceinline__ void clear_rows(const Attention& call, T* to, uint32_t width, uint32_t block, uint32_t blocks) {
  const uint32_t rows = call.rows();
  for (uint32_t r = uint32_t(call.cu_seqlens[call.sequences()]) + block; r < rows; r += blocks)
    for (uint32_t i = threadIdx.x; i < width; i += kThreads) to[size_t(r) * width + i] = from_float<T>(0.f);
}

// ---------------------------------------------------------------- host

template <class T>
bool is_aligned(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

}  // namespace
