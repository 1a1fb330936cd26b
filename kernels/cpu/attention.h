// What the two forms of attention share (attention_vector.h in f32 for every instruction set, attention_tile.h for bf16
// on tiles): the parameters of a call, its tasks and a thread's working memory.
#pragma once
#include "kernel.h"
#include "philox.h"

namespace {

constexpr uint32_t kHeadMax = 256;  // largest head size D

struct Attention {
  uint32_t heads, hidden, D;
  ptrdiff_t row;  // elements of a row of qkv
  float factor;   // 1 / sqrt(D)
  bool drops;
  DropoutSite site;
  bool causal;  // query i sees keys 0 .. i

  // How many keys the queries up to and without `query` see, of S.
  uint32_t keys_seen(uint32_t query, uint32_t S) const { return causal && query < S ? query : S; }
};

inline Attention attention_of(uint32_t heads, uint32_t hidden, uint32_t causal, float p, uint32_t seed, uint32_t draw, uint32_t stream,
                              uint32_t layer) {
  const uint32_t D = hidden / heads;
  return {heads, hidden, D, 3 * ptrdiff_t(hidden), 1.0f / sqrtf(float(D)), p > 0, dropout_site(p, seed, draw, stream, layer), causal != 0};
}

// One task: head a of the sequence of S rows from `start` on.
struct Head {
  uint32_t a, start, S;
  // the plane of random words of a query
  uint32_t plane(const Attention& call, uint32_t query) const { return (start + query) * call.heads + a; }
};

template <class F>
inline void each_head(Team& team, const Attention& call, const int32_t* cu_seqlens, uint32_t sequences, F f) {
  each(team, sequences * call.heads, [&](uint32_t task) {
    const uint32_t b = task / call.heads, start = uint32_t(cu_seqlens[b]);
    f(Head{task % call.heads, start, uint32_t(cu_seqlens[b + 1]) - start});
  });
}

struct Arena {
  float* p;
  float* take(size_t floats) {
    float* r = p;
    p += (floats + 15) / 16 * 16;
    return r;
  }
};

// sum a[i] b[i]
template <class A, class B>
inline float dot(const A* a, const B* b, uint32_t n) {
  V d = zero();
  vectors(n, [&](uint32_t i, uint32_t m) { d = fma(load_n(a + i, m), load_n(b + i, m), d); });
  return sum(d);
}

}  // namespace
