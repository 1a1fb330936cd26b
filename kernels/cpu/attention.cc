// Multi-head attention over ragged sequences (Vaswani et al. 2017), softmax in one pass over blocks of keys
// (Milakov and Gimelshein 2018; Dao 2023, "FlashAttention-2"): probabilities never leave the cache.
//
//   s = q k^T / sqrt(D),  p = softmax(s),  y = drop(p) v      for every sequence b and head a
//
// qkv [N,3H]: query, key and value of head a start at column a D of each third. cu_seqlens [B+1]: rows of sequence b are
// cu_seqlens[b] .. cu_seqlens[b+1] - 1; rows past the last one give zeros, an empty sequence gives nothing.
//
// Work split: one task is one head of one sequence. Keys and values are copied once (keys transposed), queries go in
// blocks. Saved for backward: lse [N,A] = log sum exp(s); backward computes p again from it, and uses
// delta = rowsum(dy y) = rowsum(p dp) for the gradient of the softmax.
// Dropout: element = key within the sequence, plane = row * A + head.
// Everything between loads and stores is f32; in bf16 only qkv, y and their gradients are rounded.
#include "gemm.h"
#include "kernel.h"
#include "philox.h"

namespace {

constexpr uint32_t kKeys = 512;        // keys in a block
constexpr uint32_t kKeyRow = kKeys + 16;  // row stride of transposed keys and of scores: no power of two, which would crowd the cache
constexpr uint32_t kQueries = 32;      // queries in a block
constexpr uint32_t kHeadMax = 256;     // largest head size D

// Scratch of a task, in floats: two of each transposed and plain operand, scores and their gradient, queries and dy.
static_assert(2 * kHeadMax * kKeyRow + 3 * kHeadMax * kKeys / 4 + 3 * kQueries * kKeyRow <= Team::kScratchFloats,
              "scratch of attention");

struct Arena {
  float* p;
  float* take(size_t floats) {
    float* r = p;
    p += (floats + 15) / 16 * 16;
    return r;
  }
};

// Keys in one block for head size D: less than kKeys only for very large heads, so that all operands fit the scratch.
inline uint32_t keys_per_block(uint32_t D) { return D <= 64 ? kKeys : kKeys * 64 / D / 16 * 16; }

template <class T>
inline void copy_rows(const T* from, ptrdiff_t stride, uint32_t rows, uint32_t D, float factor, float* to) {
  const V f = set1(factor);
  for (uint32_t r = 0; r < rows; r++)
    vectors(D, [&](uint32_t i, uint32_t n) { store_n(to + size_t(r) * D + i, f * load_n(from + r * stride + i, n), n); });
}

template <class T>
inline void write_rows(const float* from, uint32_t rows, uint32_t D, T* to, ptrdiff_t stride) {
  for (uint32_t r = 0; r < rows; r++)
    vectors(D, [&](uint32_t i, uint32_t n) { store_n(to + r * stride + i, load_n(from + size_t(r) * D + i, n), n); });
}

// p[i] = keep[i] ? p[i] / (1 - rate) : 0 for the keys first .. first + n - 1 of one row and head
inline void drop_row(const DropoutSite& site, uint32_t first, uint32_t n, uint32_t plane, float* p) {
  alignas(64) uint32_t words[kKeys + 32];
  philox_words(site, first, n, plane, words);
  const V c = set1(site.scale);
  vectors(n, [&](uint32_t i, uint32_t m) { store_n(p + i, keep(words + i, site.threshold, c * load_n(p + i, m)), m); });
}

// ---------------------------------------------------------------- forward

// One block of queries against one block of keys; peak and total are the running maximum and sum of each query, y [nq,D]
// the running product.
inline void forward_block(const float* q, uint32_t nq, const float* kt, const float* v, uint32_t nk, uint32_t D, float* scores,
                          float* peak, float* total, bool first, float* y, const DropoutSite* site, uint32_t key0,
                          uint32_t plane0, uint32_t heads) {
  gemm_local(nq, nk, D, rows_of(q, D), kt, kKeyRow, scores, kKeyRow, false);
  for (uint32_t r = 0; r < nq; r++) {
    float* s = scores + size_t(r) * kKeyRow;
    V top = load_n(s, nk < W ? nk : W);
    if (nk < W) {
      float m = s[0];
      for (uint32_t i = 1; i < nk; i++) m = s[i] > m ? s[i] : m;
      top = set1(m);
    } else {
      for (uint32_t i = W; i + W <= nk; i += W) top = max(top, load(s + i));
      top = max(top, load(s + nk - W));
    }
    const float before = peak[r], now = largest(top) > before ? largest(top) : before;
    const V m = set1(now);
    V sums = zero();
    uint32_t i = 0;
    for (; i + W <= nk; i += W) {
      const V e = exp(load(s + i) - m);
      store(s + i, e);
      sums = sums + e;
    }
    float sum_tail = 0;
    if (i < nk) {
      float e[W];
      store(e, exp(load_n(s + i, nk - i) - m));
      for (uint32_t k = 0; i + k < nk; k++) s[i + k] = e[k], sum_tail += e[k];
    }
    const float shrink = first ? 0.0f : expf(before - now);
    total[r] = total[r] * shrink + (sum(sums) + sum_tail);
    peak[r] = now;
    if (!first) {
      const V f = set1(shrink);
      vectors(D, [&](uint32_t d, uint32_t n) { store_n(y + r * D + d, f * load_n(y + r * D + d, n), n); });
    }
    if (site) drop_row(*site, key0, nk, plane0 + r * heads, s);
  }
  gemm_local(nq, D, nk, rows_of(scores, kKeyRow), v, D, y, D, !first);
}

template <class T>
void attention_forward(Team& team, const T* qkv, const int32_t* cu_seqlens, T* y, float* lse, uint32_t rows,
                       uint32_t sequences, uint32_t heads, uint32_t hidden, float p, uint32_t seed, uint32_t draw, uint32_t stream,
                       uint32_t layer) {
  const uint32_t D = hidden / heads, block = keys_per_block(D);
  const ptrdiff_t row = 3 * ptrdiff_t(hidden);
  const DropoutSite site = dropout_site(p, seed, draw, stream, layer);
  // read now: when the last phase ends, a thread that is ahead may already be in the next kernel and write there
  const uint32_t end = uint32_t(cu_seqlens[sequences]);
  each(team, sequences * heads, [&](uint32_t task) {
    const uint32_t b = task / heads, a = task % heads, start = uint32_t(cu_seqlens[b]), S = uint32_t(cu_seqlens[b + 1]) - start;
    const T* q = qkv + start * row + a * D;
    Arena arena{team.scratch()};
    float *kt = arena.take(D * kKeyRow), *v = arena.take(block * D), *scores = arena.take(kQueries * kKeyRow);
    float *qs = arena.take(kQueries * D), *sums = arena.take(kQueries * D), peak[kQueries], total[kQueries];
    const auto load_keys = [&](uint32_t k0, uint32_t nk) {
      copy_transposed(q + hidden + k0 * row, row, nk, D, kt, kKeyRow);
      copy_rows(q + 2 * hidden + k0 * row, row, nk, D, 1.0f, v);
    };
    if (S <= block && S > 0) load_keys(0, S);
    for (uint32_t q0 = 0; q0 < S; q0 += kQueries) {
      const uint32_t nq = S - q0 < kQueries ? S - q0 : kQueries;
      T* out = y + size_t(start + q0) * hidden + a * D;
      copy_rows(q + q0 * row, row, nq, D, 1.0f / sqrtf(float(D)), qs);
      for (uint32_t r = 0; r < nq; r++) peak[r] = -INFINITY, total[r] = 0;
      for (uint32_t k0 = 0; k0 < S; k0 += block) {
        const uint32_t nk = S - k0 < block ? S - k0 : block;
        if (S > block) load_keys(k0, nk);
        forward_block(qs, nq, kt, v, nk, D, scores, peak, total, k0 == 0, sums, p > 0 ? &site : nullptr, k0,
                      (start + q0) * heads + a, heads);
      }
      for (uint32_t r = 0; r < nq; r++) {
        const V f = set1(1.0f / total[r]);
        T* o = out + size_t(r) * hidden;
        vectors(D, [&](uint32_t d, uint32_t n) { store_n(o + d, f * load_n(sums + r * D + d, n), n); });
        lse[size_t(start + q0 + r) * heads + a] = peak[r] + logf(total[r]);
      }
    }
  });
  if (end < rows)
    each(team, rows - end, [&](uint32_t r) {
      memset(y + size_t(end + r) * hidden, 0, hidden * sizeof(T));
      memset(lse + size_t(end + r) * heads, 0, heads * sizeof(float));
    });
}

// ---------------------------------------------------------------- backward
// dv = drop(p)^T dy,  dp = drop(dy v^T),  ds = p (dp - delta),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)

struct Scale {
  V factor;
  V operator()(V v, uint32_t, uint32_t, uint32_t) const { return v * factor; }
};

template <class T>
void attention_backward(Team& team, const T* dy, const T* qkv, const int32_t* cu_seqlens, const T* y, const float* lse, T* dqkv,
                        uint32_t rows, uint32_t sequences, uint32_t heads, uint32_t hidden, float p, uint32_t seed,
                        uint32_t draw, uint32_t stream, uint32_t layer) {
  const uint32_t D = hidden / heads, block = keys_per_block(D);
  const ptrdiff_t row = 3 * ptrdiff_t(hidden);
  const float factor = 1.0f / sqrtf(float(D));
  const DropoutSite site = dropout_site(p, seed, draw, stream, layer);
  // read now: when the last phase ends, a thread that is ahead may already be in the next kernel and write there
  const uint32_t end = uint32_t(cu_seqlens[sequences]);
  each(team, sequences * heads, [&](uint32_t task) {
    const uint32_t b = task / heads, a = task % heads, start = uint32_t(cu_seqlens[b]), S = uint32_t(cu_seqlens[b + 1]) - start;
    const T* q = qkv + start * row + a * D;
    T* dq = dqkv + start * row + a * D;
    Arena arena{team.scratch()};
    float *kt = arena.take(D * kKeyRow), *vt = arena.take(D * kKeyRow), *k = arena.take(block * D);
    float *dk = arena.take(block * D), *dv = arena.take(block * D);
    float *scores = arena.take(kQueries * kKeyRow), *dscores = arena.take(kQueries * kKeyRow);
    float *qs = arena.take(kQueries * D), *dys = arena.take(kQueries * D);
    for (uint32_t k0 = 0; k0 < S; k0 += block) {
      const uint32_t nk = S - k0 < block ? S - k0 : block;
      copy_transposed(q + hidden + k0 * row, row, nk, D, kt, kKeyRow);
      copy_transposed(q + 2 * hidden + k0 * row, row, nk, D, vt, kKeyRow);
      copy_rows(q + hidden + k0 * row, row, nk, D, 1.0f, k);
      for (uint32_t q0 = 0; q0 < S; q0 += kQueries) {
        const uint32_t nq = S - q0 < kQueries ? S - q0 : kQueries;
        copy_rows(q + q0 * row, row, nq, D, factor, qs);
        copy_rows(dy + size_t(start + q0) * hidden + a * D, hidden, nq, D, 1.0f, dys);
        gemm_local(nq, nk, D, rows_of(qs, D), kt, kKeyRow, scores, kKeyRow, false);
        gemm_local(nq, nk, D, rows_of(dys, D), vt, kKeyRow, dscores, kKeyRow, false);
        float delta[kQueries];
        for (uint32_t r = 0; r < nq; r++) {
          const size_t at = start + q0 + r;
          float* s = scores + size_t(r) * kKeyRow;
          const V l = set1(lse[at * heads + a]);
          vectors(nk, [&](uint32_t i, uint32_t n) { store_n(s + i, exp(load_n(s + i, n) - l), n); });
          V d = zero();
          vectors(D, [&](uint32_t i, uint32_t n) { d = fma(load_n(dys + size_t(r) * D + i, n), load_n(y + at * hidden + a * D + i, n), d); });
          delta[r] = sum(d);
        }
        // With dropout, dv needs the probabilities that were kept and ds all of them: ds is made first, in place of dp.
        for (uint32_t r = 0; r < nq; r++) {
          float *s = scores + size_t(r) * kKeyRow, *ds = dscores + size_t(r) * kKeyRow;
          const uint32_t plane = uint32_t(start + q0 + r) * heads + a;
          const V d = set1(delta[r]);
          if (p > 0) {
            alignas(64) uint32_t words[kKeys + 32];
            philox_words(site, k0, nk, plane, words);
            const V c = set1(site.scale);
            vectors(nk, [&](uint32_t i, uint32_t n) {
              const V e = load_n(s + i, n), dp = keep(words + i, site.threshold, c * load_n(ds + i, n));
              store_n(ds + i, e * (dp - d), n);
              store_n(s + i, keep(words + i, site.threshold, c * e), n);
            });
          } else {
            vectors(nk, [&](uint32_t i, uint32_t n) { store_n(ds + i, load_n(s + i, n) * (load_n(ds + i, n) - d), n); });
          }
        }
        gemm_local(nk, D, nq, transposed(scores, kKeyRow), dys, D, dv, D, q0 > 0);
        gemm_local(nk, D, nq, transposed(dscores, kKeyRow), qs, D, dk, D, q0 > 0);
        // the factor is applied block by block, since the sum over blocks of keys is kept in dq itself
        if (k0 == 0)
          gemm_local(nq, D, nk, rows_of(dscores, kKeyRow), k, D, dq + q0 * row, row, false, Scale{set1(factor)});
        else {
          for (uint32_t r = 0; r < nq; r++)
            vectors(nk, [&](uint32_t i, uint32_t n) {
              float* ds = dscores + size_t(r) * kKeyRow + i;
              store_n(ds, load_n(ds, n) * set1(factor), n);
            });
          gemm_local(nq, D, nk, rows_of(dscores, kKeyRow), k, D, dq + q0 * row, row, true);
        }
      }
      write_rows(dk, nk, D, dq + hidden + k0 * row, row);
      write_rows(dv, nk, D, dq + 2 * hidden + k0 * row, row);
    }
  });
  if (end < rows)
    each(team, rows - end, [&](uint32_t r) { memset(dqkv + size_t(end + r) * row, 0, row * sizeof(T)); });
}

}  // namespace

EXPORT_KERNELS(attention, KERNELS(attention_forward), KERNELS(attention_backward))
