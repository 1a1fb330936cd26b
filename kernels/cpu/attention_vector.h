// Attention by the micro-kernel of gemm.h, everything between loads and stores in f32; in bf16 only qkv, y and their
// gradients are rounded.
//
// Scores lie by key: row k holds the scores of a block of queries against key k. So the softmax is a walk down the rows with
// a query in every lane, which sums and takes maxima without crossing lanes; keys and values are operands as they lie, in rows
// (keys times 1 / sqrt(D)); only the block of queries is transposed, and as an operand of 48 columns it stays in the
// first-level cache. More than 512 keys go block by block: forward by the online softmax, backward by adding to dq.
#pragma once
#include "attention.h"
#include "gemm.h"

namespace {

constexpr uint32_t kKeys = 512;       // keys in a block
constexpr uint32_t kQueryLanes = 48;  // queries in a block: whole tiles either way, and a row of scores
constexpr uint32_t kWordLanesByKey = 16;  // queries whose random words are drawn at a time
static_assert(kQueryLanes % kTileRows == 0 && kQueryLanes % kTileColumns == 0 && kWordLanesByKey % W == 0, "blocks of queries");

// Keys in one block for head size D: less than kKeys only for very large heads, so that all operands fit the scratch.
inline uint32_t keys_per_block(uint32_t D) { return D <= 64 ? kKeys : kKeys * 64 / D / 16 * 16; }

// Scratch of a task, in floats: keys, values and their gradients, scores and theirs, queries and dy both ways, random words.
static_assert(4 * kKeys * 64 + 2 * kKeys * kQueryLanes + 4 * kQueryLanes * kHeadMax + 2 * kWordLanesByKey * (kKeys + 32) <=
                  Team::kScratchFloats,
              "scratch of attention");

template <class T>
inline void copy_rows(const T* from, ptrdiff_t stride, uint32_t rows, uint32_t D, float factor, float* to) {
  const V f = set1(factor);
  for (uint32_t r = 0; r < rows; r++)
    vectors(D, [&](uint32_t i, uint32_t n) { store_n(to + size_t(r) * D + i, f * load_n(from + r * stride + i, n), n); });
}

template <class T>
inline void write_rows(const float* from, uint32_t rows, uint32_t D, float factor, T* to, ptrdiff_t stride) {
  const V f = set1(factor);
  for (uint32_t r = 0; r < rows; r++)
    vectors(D, [&](uint32_t i, uint32_t n) { store_n(to + r * stride + i, f * load_n(from + size_t(r) * D + i, n), n); });
}

// to [D, kQueryLanes] = nq rows transposed; lanes without a query are 0.
template <class T>
inline void rows_to_lanes(const T* from, ptrdiff_t stride, uint32_t nq, uint32_t D, float* to) {
  if (nq < kQueryLanes) memset(to, 0, size_t(D) * kQueryLanes * sizeof(float));
  copy_transposed(from, stride, nq, D, to, kQueryLanes);
}

// Whole vectors of the lanes in use.
inline uint32_t whole_lanes(uint32_t nq) { return (nq + W - 1) / W * W; }

// The random words of the probabilities of kWordLanesByKey queries, by key. They are drawn along the keys of a query
// (philox.h) and turned.
struct Words {
  uint32_t *rows, *turned;
  static constexpr uint32_t kRow = kKeys + 32;

  explicit Words(Arena& arena)
      : rows(reinterpret_cast<uint32_t*>(arena.take(kWordLanesByKey * kRow))),
        turned(reinterpret_cast<uint32_t*>(arena.take(kWordLanesByKey * kRow))) {}

  // Words of up to 16 queries from q on against keys key0 .. key0 + nk - 1, at turned[k * 16 + query].
  void draw(const Attention& call, const Head& head, uint32_t q, uint32_t nq, uint32_t key0, uint32_t nk) {
    const uint32_t n = nq < kWordLanesByKey ? nq : kWordLanesByKey;
    for (uint32_t i = 0; i < n; i++) philox_words(call.site, key0, nk, head.plane(call, q + i), rows + i * kRow);
    // bits stay bits: these are copies; lanes without a query get what was there
    const float* from = reinterpret_cast<const float*>(rows);
    float* to = reinterpret_cast<float*>(turned);
    for (uint32_t k = 0; k < nk; k += kTranspose)
      for (uint32_t i = 0; i < n; i += kTranspose) transpose(from + i * kRow + k, kRow, to + k * kWordLanesByKey + i, kWordLanesByKey);
  }
};

// Calls f(lane, words) for every vector of lanes. With dropout the words of a group of queries are drawn before its lanes.
template <class F>
inline void each_lanes(const Attention& call, const Head& head, Words& words, uint32_t q0, uint32_t nq, uint32_t key0, uint32_t nk,
                       F f) {
  const uint32_t lanes = whole_lanes(nq);
  for (uint32_t g = 0; g < lanes; g += kWordLanesByKey) {
    if (call.drops) words.draw(call, head, q0 + g, nq - g, key0, nk);
    for (uint32_t lane = g; lane < lanes && lane < g + kWordLanesByKey; lane += W) f(lane, words.turned + (lane - g));
  }
}

// ---------------------------------------------------------------- forward

// The softmax of a block of queries over the keys so far: the largest score, and the sum of exponentials relative to it.
struct RunningLanes {
  float peak[kQueryLanes], total[kQueryLanes], shrink[kQueryLanes];
};

// Hides the keys behind each query of a block from q0 on, in scores [nk, kQueryLanes] of keys key0 .. key0 + nk - 1.
inline void hide_later(float* scores, uint32_t q0, uint32_t key0, uint32_t nk) {
  const V lowest = set1(-INFINITY);
  for (uint32_t k = q0 + 1 > key0 ? q0 + 1 : key0; k < key0 + nk; k++)
    vectors(k - q0, [&](uint32_t i, uint32_t n) { store_n(scores + size_t(k - key0) * kQueryLanes + i, lowest, n); });
}

// Scores [nk, kQueryLanes] become exponentials relative to the largest so far, those that dropout keeps over 1 - p.
inline void softmax_lanes(const Attention& call, const Head& head, Words& words, uint32_t q0, uint32_t nq, uint32_t key0,
                          uint32_t nk, float* scores, RunningLanes& running) {
  const bool first = key0 == 0;
  each_lanes(call, head, words, q0, nq, key0, nk, [&](uint32_t lane, const uint32_t* word) {
    float* s = scores + lane;
    V top0 = load(s), top1 = top0;
    uint32_t k = 0;
    for (; k + 2 <= nk; k += 2) {
      top0 = max(top0, load(s + size_t(k) * kQueryLanes));
      top1 = max(top1, load(s + size_t(k + 1) * kQueryLanes));
    }
    if (k < nk) top0 = max(top0, load(s + size_t(k) * kQueryLanes));
    V peak = max(top0, top1), before = zero();
    if (!first) {
      const V old = load(running.peak + lane);
      peak = max(old, peak);
      const V shrink = exp(old - peak);
      before = load(running.total + lane) * shrink;
      store(running.shrink + lane, shrink);
    }
    store(running.peak + lane, peak);
    V sum = zero();
    const V scale = set1(call.site.scale);
    if (call.drops) {
      for (k = 0; k < nk; k++) {
        const V e = exp(load(s + size_t(k) * kQueryLanes) - peak);
        sum = sum + e;
        store(s + size_t(k) * kQueryLanes, keep(word + size_t(k) * kWordLanesByKey, call.site.threshold, scale * e));
      }
    } else {
      for (k = 0; k < nk; k++) {
        const V e = exp(load(s + size_t(k) * kQueryLanes) - peak);
        sum = sum + e;
        store(s + size_t(k) * kQueryLanes, e);
      }
    }
    store(running.total + lane, before + sum);
  });
}

template <class T>
inline void vector_forward(const Attention& call, const Head& head, float* scratch, const T* qkv, T* y, float* lse) {
  const uint32_t D = call.D, hidden = call.hidden, S = head.S, block = keys_per_block(D);
  const ptrdiff_t row = call.row;
  const T* q = qkv + head.start * row + head.a * D;
  Arena arena{scratch};
  float *k = arena.take(block * D), *v = arena.take(block * D), *scores = arena.take(block * kQueryLanes);
  float *qt = arena.take(kQueryLanes * D), *sums = arena.take(kQueryLanes * D);
  Words words(arena);
  const auto load_keys = [&](uint32_t k0, uint32_t nk) {
    copy_rows(q + hidden + k0 * row, row, nk, D, call.factor, k);
    copy_rows(q + 2 * hidden + k0 * row, row, nk, D, 1.0f, v);
  };
  if (S <= block && S > 0) load_keys(0, S);
  for (uint32_t q0 = 0; q0 < S; q0 += kQueryLanes) {
    const uint32_t nq = S - q0 < kQueryLanes ? S - q0 : kQueryLanes;
    alignas(64) RunningLanes running;
    rows_to_lanes(q + q0 * row, row, nq, D, qt);
    const uint32_t seen = call.keys_seen(q0 + nq, S);
    for (uint32_t k0 = 0; k0 < seen; k0 += block) {
      const uint32_t nk = seen - k0 < block ? seen - k0 : block;
      if (S > block) load_keys(k0, nk);
      gemm_local(nk, whole_lanes(nq), D, rows_of(k, D), qt, kQueryLanes, scores, kQueryLanes, false);
      if (call.causal) hide_later(scores, q0, k0, nk);
      softmax_lanes(call, head, words, q0, nq, k0, nk, scores, running);
      for (uint32_t r = 0; k0 > 0 && r < nq; r++) {
        const V f = set1(running.shrink[r]);
        vectors(D, [&](uint32_t d, uint32_t n) { store_n(sums + r * D + d, f * load_n(sums + r * D + d, n), n); });
      }
      gemm_local(nq, D, nk, transposed(scores, kQueryLanes), v, D, sums, D, k0 > 0);
    }
    for (uint32_t r = 0; r < nq; r++) {
      const size_t at = head.start + q0 + r;
      const V f = set1(1.0f / running.total[r]);
      T* o = y + at * hidden + head.a * D;
      vectors(D, [&](uint32_t d, uint32_t n) { store_n(o + d, f * load_n(sums + r * D + d, n), n); });
      lse[at * call.heads + head.a] = running.peak[r] + logf(running.total[r]);
    }
  }
}

// ---------------------------------------------------------------- backward

// Scores become probabilities p (those that dropout keeps over 1 - p) and dp, the gradient of these, becomes ds. With dropout
// ds needs all probabilities and dv the ones that were kept.
inline void gradient_lanes(const Attention& call, const Head& head, Words& words, uint32_t q0, uint32_t nq, uint32_t key0,
                           uint32_t nk, const float* lse, const float* delta, float* scores, float* dscores) {
  each_lanes(call, head, words, q0, nq, key0, nk, [&](uint32_t lane, const uint32_t* word) {
    const V l = load(lse + lane), d = load(delta + lane), scale = set1(call.site.scale);
    float *s = scores + lane, *ds = dscores + lane;
    if (call.drops) {
      for (uint32_t k = 0; k < nk; k++, s += kQueryLanes, ds += kQueryLanes, word += kWordLanesByKey) {
        const V e = exp(load(s) - l), dp = keep(word, call.site.threshold, scale * load(ds));
        store(ds, e * (dp - d));
        store(s, keep(word, call.site.threshold, scale * e));
      }
    } else {
      for (uint32_t k = 0; k < nk; k++, s += kQueryLanes, ds += kQueryLanes) {
        const V e = exp(load(s) - l);
        store(ds, e * (load(ds) - d));
        store(s, e);
      }
    }
  });
}

template <class T>
inline void vector_backward(const Attention& call, const Head& head, float* scratch, const T* dy, const T* qkv, const T* y,
                            const float* lse, T* dqkv) {
  const uint32_t D = call.D, hidden = call.hidden, S = head.S, a = head.a, block = keys_per_block(D);
  const ptrdiff_t row = call.row;
  const T* q = qkv + head.start * row + a * D;
  T* dq = dqkv + head.start * row + a * D;
  Arena arena{scratch};
  float *k = arena.take(block * D), *v = arena.take(block * D), *dk = arena.take(block * D), *dv = arena.take(block * D);
  float *scores = arena.take(block * kQueryLanes), *dscores = arena.take(block * kQueryLanes);
  float *qs = arena.take(kQueryLanes * D), *qt = arena.take(kQueryLanes * D);
  float *dys = arena.take(kQueryLanes * D), *dyt = arena.take(kQueryLanes * D);
  Words words(arena);
  for (uint32_t k0 = 0; k0 < S; k0 += block) {
    const uint32_t nk = S - k0 < block ? S - k0 : block;
    copy_rows(q + hidden + k0 * row, row, nk, D, call.factor, k);
    copy_rows(q + 2 * hidden + k0 * row, row, nk, D, 1.0f, v);
    // causal: queries in front of the first key see nothing, and sums over the others begin with zeros, since the first of
    // them do not see all keys
    if (call.causal) memset(dk, 0, size_t(nk) * D * sizeof(float)), memset(dv, 0, size_t(nk) * D * sizeof(float));
    for (uint32_t q0 = call.causal ? k0 / kQueryLanes * kQueryLanes : 0; q0 < S; q0 += kQueryLanes) {
      const uint32_t nq = S - q0 < kQueryLanes ? S - q0 : kQueryLanes, end = call.keys_seen(q0 + nq, S);
      const uint32_t seen = end - k0 < nk ? end - k0 : nk;
      const bool adds = call.causal || q0 > 0;
      copy_rows(q + q0 * row, row, nq, D, 1.0f, qs);
      copy_rows(dy + size_t(head.start + q0) * hidden + a * D, hidden, nq, D, 1.0f, dys);
      rows_to_lanes(qs, D, nq, D, qt);
      rows_to_lanes(dys, D, nq, D, dyt);
      alignas(64) float of_lse[kQueryLanes] = {}, delta[kQueryLanes] = {};
      for (uint32_t r = 0; r < nq; r++) {
        const size_t at = head.start + q0 + r;
        of_lse[r] = lse[at * call.heads + a];
        delta[r] = dot(dys + size_t(r) * D, y + at * hidden + a * D, D);
      }
      gemm_local(seen, whole_lanes(nq), D, rows_of(k, D), qt, kQueryLanes, scores, kQueryLanes, false);
      gemm_local(seen, whole_lanes(nq), D, rows_of(v, D), dyt, kQueryLanes, dscores, kQueryLanes, false);
      if (call.causal) hide_later(scores, q0, k0, seen);
      gradient_lanes(call, head, words, q0, nq, k0, seen, of_lse, delta, scores, dscores);
      gemm_local(seen, D, nq, rows_of(scores, kQueryLanes), dys, D, dv, D, adds);
      gemm_local(seen, D, nq, rows_of(dscores, kQueryLanes), qs, D, dk, D, adds);
      gemm_local(nq, D, seen, transposed(dscores, kQueryLanes), k, D, dq + q0 * row, row, k0 > 0);
    }
    write_rows(dk, nk, D, call.factor, dq + hidden + k0 * row, row);
    write_rows(dv, nk, D, 1.0f, dq + 2 * hidden + k0 * row, row);
  }
}

}  // namespace
