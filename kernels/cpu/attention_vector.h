// Attention by the micro-kernel of gemm.h, everything between loads and stores in f32; in bf16 only qkv, y and their
// gradients are rounded. Keys and values of a head are copied once (keys transposed), queries go in blocks. More than 512 keys
// go block by block: forward by the online softmax, backward by adding to dq.
#pragma once
#include "attention.h"
#include "gemm.h"

namespace {

constexpr uint32_t kKeys = 512;           // keys in a block
constexpr uint32_t kKeyRow = kKeys + 16;  // row stride of transposed keys and of scores: no power of two, which would crowd the cache

// Scratch of a task, in floats: two of each transposed and plain operand, scores and their gradient, queries and dy.
static_assert(2 * kHeadMax * kKeyRow + 3 * kHeadMax * kKeys / 4 + 3 * kQueries * kKeyRow <= Team::kScratchFloats,
              "scratch of attention");

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

// One block of queries from query q0 on against one block of keys from key0 on; y [nq,D] is the running product.
inline void forward_block(const Attention& call, const Head& head, const float* q, uint32_t q0, uint32_t nq, const float* kt,
                          const float* v, uint32_t key0, uint32_t nk, float* scores, Running* running, float* y) {
  const uint32_t D = call.D;
  const bool first = key0 == 0;
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
    const float shrink = running[r].raise(largest(top), first);
    const V m = set1(running[r].peak);
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
    running[r].add(shrink, sum(sums) + sum_tail);
    if (!first) {
      const V f = set1(shrink);
      vectors(D, [&](uint32_t d, uint32_t n) { store_n(y + r * D + d, f * load_n(y + r * D + d, n), n); });
    }
    if (call.drops) drop_row(call.site, key0, nk, head.plane(call, q0 + r), s);
  }
  gemm_local(nq, D, nk, rows_of(scores, kKeyRow), v, D, y, D, !first);
}

template <class T>
inline void vector_forward(const Attention& call, const Head& head, float* scratch, const T* qkv, T* y, float* lse) {
  const uint32_t D = call.D, hidden = call.hidden, S = head.S, block = keys_per_block(D);
  const ptrdiff_t row = call.row;
  const T* q = qkv + head.start * row + head.a * D;
  Arena arena{scratch};
  float *kt = arena.take(D * kKeyRow), *v = arena.take(block * D), *scores = arena.take(kQueries * kKeyRow);
  float *qs = arena.take(kQueries * D), *sums = arena.take(kQueries * D);
  const auto load_keys = [&](uint32_t k0, uint32_t nk) {
    copy_transposed(q + hidden + k0 * row, row, nk, D, kt, kKeyRow);
    copy_rows(q + 2 * hidden + k0 * row, row, nk, D, 1.0f, v);
  };
  if (S <= block && S > 0) load_keys(0, S);
  for (uint32_t q0 = 0; q0 < S; q0 += kQueries) {
    const uint32_t nq = S - q0 < kQueries ? S - q0 : kQueries;
    Running running[kQueries];
    copy_rows(q + q0 * row, row, nq, D, call.factor, qs);
    for (uint32_t k0 = 0; k0 < S; k0 += block) {
      const uint32_t nk = S - k0 < block ? S - k0 : block;
      if (S > block) load_keys(k0, nk);
      forward_block(call, head, qs, q0, nq, kt, v, k0, nk, scores, running, sums);
    }
    for (uint32_t r = 0; r < nq; r++) {
      const size_t at = head.start + q0 + r;
      const V f = set1(1.0f / running[r].total);
      T* o = y + at * hidden + head.a * D;
      vectors(D, [&](uint32_t d, uint32_t n) { store_n(o + d, f * load_n(sums + r * D + d, n), n); });
      lse[at * call.heads + head.a] = running[r].lse();
    }
  }
}

// ---------------------------------------------------------------- backward

struct Scale {
  V factor;
  V operator()(V v, uint32_t, uint32_t, uint32_t) const { return v * factor; }
};

template <class T>
inline void vector_backward(const Attention& call, const Head& head, float* scratch, const T* dy, const T* qkv, const T* y,
                            const float* lse, T* dqkv) {
  const uint32_t D = call.D, hidden = call.hidden, S = head.S, a = head.a, block = keys_per_block(D);
  const ptrdiff_t row = call.row;
  const T* q = qkv + head.start * row + a * D;
  T* dq = dqkv + head.start * row + a * D;
  Arena arena{scratch};
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
      copy_rows(q + q0 * row, row, nq, D, call.factor, qs);
      copy_rows(dy + size_t(head.start + q0) * hidden + a * D, hidden, nq, D, 1.0f, dys);
      gemm_local(nq, nk, D, rows_of(qs, D), kt, kKeyRow, scores, kKeyRow, false);
      gemm_local(nq, nk, D, rows_of(dys, D), vt, kKeyRow, dscores, kKeyRow, false);
      float delta[kQueries];
      for (uint32_t r = 0; r < nq; r++) {
        const size_t at = head.start + q0 + r;
        float* s = scores + size_t(r) * kKeyRow;
        const V l = set1(lse[at * call.heads + a]);
        vectors(nk, [&](uint32_t i, uint32_t n) { store_n(s + i, exp(load_n(s + i, n) - l), n); });
        delta[r] = dot(dys + size_t(r) * D, y + at * hidden + a * D, D);
      }
      // With dropout, dv needs the probabilities that were kept and ds all of them: ds is made first, in place of dp.
      for (uint32_t r = 0; r < nq; r++) {
        float *s = scores + size_t(r) * kKeyRow, *ds = dscores + size_t(r) * kKeyRow;
        const V d = set1(delta[r]);
        if (call.drops) {
          alignas(64) uint32_t words[kKeys + 32];
          philox_words(call.site, k0, nk, head.plane(call, q0 + r), words);
          const V c = set1(call.site.scale);
          vectors(nk, [&](uint32_t i, uint32_t n) {
            const V e = load_n(s + i, n), dp = keep(words + i, call.site.threshold, c * load_n(ds + i, n));
            store_n(ds + i, e * (dp - d), n);
            store_n(s + i, keep(words + i, call.site.threshold, c * e), n);
          });
        } else {
          vectors(nk, [&](uint32_t i, uint32_t n) { store_n(ds + i, load_n(s + i, n) * (load_n(ds + i, n) - d), n); });
        }
      }
      gemm_local(nk, D, nq, transposed(scores, kKeyRow), dys, D, dv, D, q0 > 0);
      gemm_local(nk, D, nq, transposed(dscores, kKeyRow), qs, D, dk, D, q0 > 0);
      // the factor is applied block by block, since the sum over blocks of keys is kept in dq itself
      if (k0 == 0)
        gemm_local(nq, D, nk, rows_of(dscores, kKeyRow), k, D, dq + q0 * row, row, false, Scale{set1(call.factor)});
      else {
        for (uint32_t r = 0; r < nq; r++)
          vectors(nk, [&](uint32_t i, uint32_t n) {
            float* ds = dscores + size_t(r) * kKeyRow + i;
            store_n(ds, load_n(ds, n) * set1(call.factor), n);
          });
        gemm_local(nq, D, nk, rows_of(dscores, kKeyRow), k, D, dq + q0 * row, row, true);
      }
    }
    write_rows(dk, nk, D, dq + hidden + k0 * row, row);
    write_rows(dv, nk, D, dq + 2 * hidden + k0 * row, row);
  }
}

}  // namespace
