// Attention in bf16 where instructions multiply bf16 (simd/block.h): operands of all products rounded to bf16; sums, softmax and its gradient in f32.
//
// Forward: for 32 queries at a time, scores against kTileKeys keys go to a buffer that stays in L1, where the online softmax
// turns them into probabilities relative to the largest score so far; those are the A of the product with the values.
// Dropout's 1 / (1 - rate) and the sum of exponentials come in when y is written.
// Backward: kTileSide keys against kTileSide queries at a time. p and ds are made as soon as the scores and dp of 32 x 32 are
// there, so only they are kept. Two sums run the other way round, dv^T = dy^T p and dk^T = q^T ds: so p and ds are B, pairs of
// neighbouring queries, made of two rows at once, and nothing is transposed but dv and dk when they are written. They are
// complete when all queries have passed; dq of all queries waits in L2.
//
// Operands are packed once a head: keys (turned) and values forward; queries and dy, each in both ways, backward, and keys and
// values for each kTileSide of them. If a head does not fit the scratch (from 7,936 keys and 2,560 queries on at D = 64),
// forward packs keys again for each 32 queries, and backward goes through the queries in parts and adds what the second and
// later ones give to dk and dv to the bf16 that is there.
//
// Every sequence takes this way. What is not there is zeros in the operands, which makes one of 8 rows cost what 32 do, a few
// microseconds a head; below 8 forward and 16 backward f32 would be quicker by one or two of them. Not worth a second way.
//
// A step of 32 x 32 x 32 is 4 products of tiles (64 cycles), 4 loads of operands (8 cycles each from L1), and a share of the
// loads of C (8 cycles) and of its stores (16). At D = 64, for 32 queries x 32 keys:
//
//                   product   steps  loads, stores a step        operands
//   forward         q k^T       2         4, 2                   A in L1, B from L2 in the order of reading
//                   p v         2     4 to 5, 1 (1 C / 4 steps)  the same; C in L1
//   backward        q k^T       2         4, 2                   A from L2 in order, B in L1
//                   dy v^T      2         4, 2                   the same
//                   dy^T p      2         6, 2 (1 C / 2 steps)   the same; C in L2
//                   q^T ds      2         6, 2 (1 C / 2 steps)   the same; C in L2
//                   ds k        2         6, 2 (1 C / 2 steps)   both in L1; C from L2
//
// Expected, not measured: a step with one operand from L2 takes about 40 ns where its products alone take 22 (2.86 GHz), so
// 0.16 us forward and 0.40 backward. The loops between the products, measured in L1 with AVX-512 (2.8 GHz, no bf16
// instructions): softmax 0.48 us, p and ds 0.67, the bits of dropout 0.45 in either. That gives 14% of the peak of tiles forward
// and 21% backward, without dropout, and the time is the softmax's.
#pragma once
#include "attention.h"
#include "tile_gemm.h"

namespace {

constexpr uint32_t kQueries = 32;    // queries in a block of forward
constexpr uint32_t kTileKeys = 128;  // keys of a block of scores: 16 KiB
constexpr uint32_t kTileSide = 64;   // queries and keys of a block of backward

// The softmax of a query over the keys so far: the largest score, and the sum of exponentials relative to it.
struct Running {
  float peak = -INFINITY, total = 0;
  // Takes in the largest score of the next keys; returns the factor for all sums made before.
  float raise(float top, bool first) {
    const float before = peak;
    peak = top > before ? top : before;
    return first ? 0.0f : expf(before - peak);
  }
  void add(float shrink, float sum) { total = total * shrink + sum; }
  float lse() const { return peak + logf(total); }
};

// Words of the panels, and floats of the blocks of C, of n rows of a head of `steps` tiles; n is a multiple of kSide.
constexpr size_t packed_words(uint32_t n, uint32_t steps) { return size_t(n / kSide) * steps * kPanelWords; }
constexpr size_t block_floats(uint32_t n, uint32_t steps) { return size_t(n / kSide) * steps * kBlockWords; }

// Most rows, a multiple of `unit`, of which each 32 take `each` floats of a scratch that has `fixed` taken already.
constexpr uint32_t rows_that_fit(size_t fixed, size_t each, uint32_t unit) {
  return uint32_t((Team::kScratchFloats - fixed) / each) * kSide / unit * unit;
}
constexpr uint32_t keys_held(uint32_t steps) {
  return rows_that_fit(packed_words(kQueries, steps) + block_floats(kQueries, steps) + kTileKeys * kSide * 3 / 2,
                       2 * packed_words(kSide, steps), kTileKeys);
}
constexpr uint32_t queries_held(uint32_t steps) {
  return rows_that_fit(3 * packed_words(kTileSide, steps) + 2 * block_floats(kTileSide, steps) + 2 * kBlockWords +
                           3 * packed_words(kTileSide, kTileSide / kSide),
                       4 * packed_words(kSide, steps) + block_floats(kSide, steps) + 2 * kSide, kTileSide);
}
static_assert(keys_held(tiles_of(kHeadMax)) >= 512 && queries_held(tiles_of(kHeadMax)) >= 512, "heads of 512 rows are held");

inline Pair* take_pairs(Arena& arena, size_t n) { return reinterpret_cast<Pair*>(arena.take(n)); }

// Writes rows of blocks of C that lie side by side, row r times factor(r).
template <class F>
inline void write_blocks(const float* c, uint32_t rows, uint32_t D, F factor, bf16* to, ptrdiff_t row) {
  for (uint32_t r = 0; r < rows; r++) {
    const V f = set1(factor(r));
    vectors(D, [&](uint32_t d, uint32_t n) { store_n(to + r * row + d, f * load(vector_of(c, r, d)), n); });
  }
}

// For each of n queries from `query` on a word whose bits are the keys that dropout keeps, of 32 from `key` on.
inline void keep_bits(const Attention& call, const Head& head, uint32_t query, uint32_t n, uint32_t key, uint32_t* bits) {
  for (uint32_t r = 0; r < n; r++) {
    alignas(64) uint32_t words[kSide];
    philox_words(call.site, key, kSide, head.plane(call, query + r), words);
    bits[r] = 0;
    for (uint32_t i = 0; i < kSide; i += W) bits[r] |= uint32_t(kept(words + i, call.site.threshold)) << i;
  }
}

// A row of a block of C, or of what is made of one, is kVectors vectors; several of them joined in halves.
constexpr uint32_t kVectors = kSide / W;
template <class F>
inline V joined(V (&parts)[kVectors], F join) {
#pragma GCC unroll 8
  for (uint32_t n = kVectors / 2; n > 0; n /= 2)
#pragma GCC unroll 8
    for (uint32_t i = 0; i < n; i++) parts[i] = join(parts[i], parts[i + n]);
  return parts[0];
}

// ---------------------------------------------------------------- forward

// The loops over scores stand in functions of their own, so that constants stay in registers.

// Hides the scores of a row of a block from column n on.
inline void hide_from(float* row, uint32_t n) {
  const V lowest = set1(-INFINITY);
  for (uint32_t i = n / W * W; i < kSide; i += W) {
    float* s = row + in_row(i);
    store(s, first_or(n > i ? n - i : 0, load(s), lowest));
  }
}

// Takes the scores of nk keys, before their factor, into the maxima of nq queries; shrink[r] becomes the factor for what
// was summed before. Scores that only fill up a block become -infinity, whose exponential is 0.
__attribute__((noinline)) void raise_peaks(float* scores, uint32_t nq, uint32_t nk, float factor, bool first_keys, Running* running,
                                           float* shrink) {
  const uint32_t panels = tiles_of(nk), tail = nk % kSide;
  const V lowest = set1(-INFINITY);
  for (uint32_t r = 0; r < nq; r++) {
    float* s = vector_of(scores, r, 0);
    if (tail) hide_from(s + (panels - 1) * kBlockWords, tail);
    V tops[kVectors];
#pragma GCC unroll 8
    for (uint32_t v = 0; v < kVectors; v++) tops[v] = lowest;
    for (uint32_t j = 0; j < panels; j++, s += kBlockWords)
#pragma GCC unroll 8
      for (uint32_t v = 0; v < kVectors; v++) tops[v] = max(tops[v], load(s + in_row(v * W)));
    const float top = largest(joined(tops, [](V a, V b) { return max(a, b); }));
    shrink[r] = running[r].raise(top * factor, first_keys);
  }
}

// Hides the keys behind each query in the block of scores on the diagonal, whose first key is its first query.
inline void hide_later(float* scores, uint32_t nq) {
  for (uint32_t r = 0; r < nq; r++) hide_from(vector_of(scores, r, 0), r + 1);
}

// Probabilities relative to the largest score so far, as A of the product with the values, and their sums. Row r has its
// bits of keys that are kept for each block of 32 at bits[r], bits[kQueries + r], ...
__attribute__((noinline)) void exponentials(const float* scores, uint32_t nq, uint32_t panels, float factor, const uint32_t* bits,
                                            const float* shrink, Running* running, Pair* probabilities) {
  const V f = set1(factor);
  for (uint32_t r = 0; r < nq; r++) {
    const float* s = vector_of(scores, r, 0);
    const uint32_t* keys = bits + r;
    Pair* p = probabilities;
    const V minus = set1(-running[r].peak);
    V sums[kVectors];
#pragma GCC unroll 8
    for (uint32_t v = 0; v < kVectors; v++) sums[v] = zero();
    for (uint32_t j = 0; j < panels; j++, s += kBlockWords, p += kPanelWords, keys += kQueries)
#pragma GCC unroll 8
      for (uint32_t v = 0; v < kVectors; v++) {
        const V e = exp(fma(load(s + in_row(v * W)), f, minus));
        sums[v] = sums[v] + e;
        put_line(p, r, v * W, only(*keys, v * W, e));
      }
    running[r].add(shrink[r], sum(joined(sums, [](V a, V b) { return a + b; })));
  }
}

inline void tile_forward(const Attention& call, const Head& head, float* scratch, const bf16* qkv, bf16* y, float* lse) {
  const uint32_t D = call.D, steps = tiles_of(D), S = head.S, most = keys_held(steps);
  const uint32_t held = S < most ? tiles_of(S) * kSide : most;
  const bf16* q = qkv + head.start * call.row + head.a * D;
  Arena arena{scratch};
  Pair *kt = take_pairs(arena, packed_words(held, steps)), *v = take_pairs(arena, packed_words(held, steps));
  Pair* qs = take_pairs(arena, packed_words(kQueries, steps));
  float* scores = arena.take(kTileKeys * kSide);
  Pair* probabilities = take_pairs(arena, kTileKeys * kSide / 2);
  float* sums = arena.take(block_floats(kQueries, steps));
  const auto load_keys = [&](uint32_t k0, uint32_t nk) {
    pack_lines<true>(q + call.hidden + k0 * call.row, call.row, nk, D, steps, kt);
    pack_steps<false>(q + 2 * call.hidden + k0 * call.row, call.row, nk, D, held / kSide, v);
  };
  uint32_t bits[kTileKeys];  // for each 32 keys one word a query
  memset(bits, 0xff, sizeof bits);
  if (S <= held && S > 0) load_keys(0, S);
  for (uint32_t q0 = 0; q0 < S; q0 += kQueries) {
    const uint32_t nq = S - q0 < kQueries ? S - q0 : kQueries;
    const size_t at = head.start + q0;
    Running running[kQueries];
    pack_lines<false>(q + q0 * call.row, call.row, nq, D, steps, qs);
    const uint32_t seen = call.keys_seen(q0 + nq, S);
    for (uint32_t k0 = 0; k0 < seen; k0 += kTileKeys) {
      if (S > held && k0 % held == 0) load_keys(k0, S - k0 < held ? S - k0 : held);
      const uint32_t nk = seen - k0 < kTileKeys ? seen - k0 : kTileKeys, panels = tiles_of(nk), at_key = k0 % held / kSide;
      for (uint32_t j = 0; j < panels; j++)
        block_product(steps, qs, kt + packed_words((at_key + j) * kSide, steps), scores + j * kBlockWords, false);
      if (call.causal && k0 + nk == seen) hide_later(scores + (panels - 1) * kBlockWords, nq);
      for (uint32_t j = 0; call.drops && j < panels; j++) keep_bits(call, head, q0, nq, k0 + j * kSide, bits + j * kQueries);
      float shrink[kQueries];
      raise_peaks(scores, nq, nk, call.factor, k0 == 0, running, shrink);
      exponentials(scores, nq, panels, call.factor, bits, shrink, running, probabilities);
      for (uint32_t r = 0; k0 > 0 && r < nq; r++)
        for (uint32_t d = 0; d < D; d += W) {
          float* o = vector_of(sums, r, d);
          store(o, set1(shrink[r]) * load(o));
        }
      for (uint32_t d = 0; d < steps; d++)
        block_product(panels, probabilities, v + (size_t(d) * (held / kSide) + at_key) * kPanelWords, sums + d * kBlockWords,
                      k0 > 0);
    }
    write_blocks(sums, nq, D, [&](uint32_t r) { return call.site.scale / running[r].total; }, y + at * call.hidden + head.a * D,
                 call.hidden);
    for (uint32_t r = 0; r < nq; r++) lse[(at + r) * call.heads + head.a] = running[r].lse();
  }
}

// ---------------------------------------------------------------- backward

// What is made of the scores and dp of 32 queries x 32 keys: p (after dropout, without its factor) and ds as B, whose steps
// are queries, and ds as A, whose steps are keys.
struct GradientTiles {
  Pair *p, *ds, *ds_lines;
};

// The first nq queries and the first nk keys are there, bits[r] has the keys that are kept; `diagonal`: query r sees keys up
// to r only. Beyond nq, p and ds become zeros;
// beyond nk ds does, since scores of 0 may have any exponential there.
__attribute__((noinline)) void gradient_block(const float* scores, const float* dps, const float* minus_lse, const float* delta,
                                              uint32_t nq, uint32_t nk, bool diagonal, float factor, float scale,
                                              const uint32_t* bits, GradientTiles to) {
  const V f = set1(factor), c = set1(scale);
  const uint32_t there = nk < kSide ? (1u << nk) - 1 : ~0u;
  uint32_t r = 0;
  for (; r < nq && r < kSide; r += kStepGroup) {
    const float *s = vector_of(scores, r, 0), *d = vector_of(dps, r, 0);
    for (uint32_t v = 0; v < kSide; v += W) {
      V p[kStepGroup], ds[kStepGroup];
#pragma GCC unroll 4
      for (uint32_t t = 0; t < kStepGroup; t++) {
        const uint32_t visible = diagonal ? (2u << (r + t)) - 1 : ~0u, kept_keys = bits[r + t] & visible;
        const uint32_t at = in_row(v) + t * kSumSide;
        const V e = exp(fma(load(s + at), f, set1(minus_lse[r + t]))), dp = only(kept_keys, v, c * load(d + at));
        p[t] = only(kept_keys, v, e);
        ds[t] = only(there & visible, v, e * (dp - set1(delta[r + t])));
        put_line(to.ds_lines, r + t, v, ds[t]);
      }
      put_steps(to.p, r, v, p), put_steps(to.ds, r, v, ds);
    }
  }
  V none[kStepGroup];
  for (uint32_t t = 0; t < kStepGroup; t++) none[t] = zero();
  for (; r < kSide; r += kStepGroup)
    for (uint32_t v = 0; v < kSide; v += W) put_steps(to.p, r, v, none), put_steps(to.ds, r, v, none);
}

// Writes, or adds, factor times the transpose of blocks of C: c [D, kTileSide], of which the first `rows` columns are rows.
__attribute__((noinline)) void write_turned(const float* c, uint32_t rows, uint32_t D, float factor, bool add, bf16* to,
                                            ptrdiff_t row) {
  const V f = set1(factor);
  for (uint32_t i = 0; i < rows; i += 16) {
    alignas(64) float turned[16 * kHeadMax];
    for (uint32_t d = 0; d < D; d += kTranspose)
      for (uint32_t r = 0; r < 16; r += kTranspose)
        transpose(vector_of(c + d / kSide * (kTileSide / kSide) * kBlockWords, d % kSide, i) + r, kSumSide,
                  turned + r * kHeadMax + d, kHeadMax);
    for (uint32_t r = 0; r < 16 && i + r < rows; r++)
      vectors(D, [&](uint32_t d, uint32_t n) {
        bf16* p = to + (i + r) * row + d;
        const V x = f * load(turned + r * kHeadMax + d);
        store_n(p, add ? x + load_n(p, n) : x, n);
      });
  }
}

inline void tile_backward(const Attention& call, const Head& head, float* scratch, const bf16* dy, const bf16* qkv, const bf16* y,
                          const float* lse, bf16* dqkv) {
  constexpr uint32_t kSteps = kTileSide / kSide;
  const uint32_t D = call.D, steps = tiles_of(D), S = head.S, most = queries_held(steps);
  const uint32_t held = S < most ? tiles_of(S) * kSide : most;
  const ptrdiff_t row = call.row, hidden = call.hidden;
  const bf16* q = qkv + head.start * row + head.a * D;
  bf16* dq_to = dqkv + head.start * row + head.a * D;
  Arena arena{scratch};
  Pair *qs = take_pairs(arena, packed_words(held, steps)), *qt = take_pairs(arena, packed_words(held, steps));
  Pair *dys = take_pairs(arena, packed_words(held, steps)), *dyt = take_pairs(arena, packed_words(held, steps));
  Pair *kt = take_pairs(arena, packed_words(kTileSide, steps)), *vt = take_pairs(arena, packed_words(kTileSide, steps));
  Pair* ks = take_pairs(arena, packed_words(kTileSide, steps));
  float *scores = arena.take(kBlockWords), *dps = arena.take(kBlockWords);
  Pair *p = take_pairs(arena, packed_words(kTileSide, kSteps)), *ds = take_pairs(arena, packed_words(kTileSide, kSteps));
  Pair* ds_lines = take_pairs(arena, packed_words(kTileSide, kSteps));
  float *dk = arena.take(block_floats(kTileSide, steps)), *dv = arena.take(block_floats(kTileSide, steps));
  float *dq = arena.take(block_floats(held, steps)), *minus_lse = arena.take(held), *delta = arena.take(held);
  uint32_t bits[kSide];
  memset(bits, 0xff, sizeof bits);
  for (uint32_t first_query = 0; first_query < S; first_query += held) {
    const uint32_t rows = S - first_query < held ? S - first_query : held, panels = tiles_of(rows);
    const size_t at = head.start + first_query;
    const bf16 *q_rows = q + first_query * row, *dy_rows = dy + at * hidden + head.a * D, *y_rows = y + at * hidden + head.a * D;
    pack_lines<false>(q_rows, row, rows, D, steps, qs);
    pack_lines<false>(dy_rows, hidden, rows, D, steps, dys);
    pack_steps<true>(q_rows, row, rows, D, panels, qt);
    pack_steps<true>(dy_rows, hidden, rows, D, panels, dyt);
    for (uint32_t r = 0; r < panels * kSide; r++) {
      minus_lse[r] = r < rows ? -lse[(at + r) * call.heads + head.a] : 0;
      delta[r] = r < rows ? dot(dy_rows + r * hidden, y_rows + r * hidden, D) : 0;
    }
    for (uint32_t k0 = 0; k0 < S; k0 += kTileSide) {
      const uint32_t nk = S - k0 < kTileSide ? S - k0 : kTileSide;
      const bf16 *k_rows = q + hidden + k0 * row, *v_rows = k_rows + hidden;
      pack_lines<true>(k_rows, row, nk, D, steps, kt);
      pack_lines<true>(v_rows, row, nk, D, steps, vt);
      pack_steps<false>(k_rows, row, nk, D, kSteps, ks);
      // causal: the first queries that see one of these keys
      const uint32_t first_seeing = call.causal && k0 > first_query ? k0 - first_query : 0;
      if (first_seeing >= rows) {
        for (uint32_t r = 0; first_query == 0 && r < nk; r++)
          for (uint32_t part = 1; part < 3; part++) memset(dq_to + part * hidden + (k0 + r) * row, 0, D * sizeof(bf16));
        continue;
      }
      for (uint32_t q0 = first_seeing; q0 < rows; q0 += kTileSide) {
        const uint32_t nq = rows - q0 < kTileSide ? rows - q0 : kTileSide, down = tiles_of(nq), across = tiles_of(nk);
        for (uint32_t i = 0; i < down; i++)
          for (uint32_t j = 0; j < across; j++) {
            const uint32_t r = q0 + i * kSide, c = j * kSide;
            const GradientTiles to = {p + (j * kSteps + i) * kPanelWords, ds + (j * kSteps + i) * kPanelWords,
                                      ds_lines + (i * kSteps + j) * kPanelWords};
            if (call.causal && first_query + r < k0 + c) {  // nobody sees anything
              memset(to.p, 0, kPanelWords * sizeof(Pair)), memset(to.ds, 0, kPanelWords * sizeof(Pair));
              memset(to.ds_lines, 0, kPanelWords * sizeof(Pair));
              continue;
            }
            block_product(steps, qs + packed_words(r, steps), kt + packed_words(c, steps), scores, false);
            block_product(steps, dys + packed_words(r, steps), vt + packed_words(c, steps), dps, false);
            if (call.drops) keep_bits(call, head, first_query + r, rows - r < kSide ? rows - r : kSide, k0 + c, bits);
            gradient_block(scores, dps, minus_lse + r, delta + r, rows - r, nk - c, call.causal && first_query + r == k0 + c,
                           call.factor, call.site.scale, bits, to);
          }
        for (uint32_t d = 0; d < steps; d++) {
          const size_t turned = (size_t(d) * panels + q0 / kSide) * kPanelWords;
          for (uint32_t j = 0; j < across; j++) {
            const size_t block = (d * kSteps + j) * kBlockWords;
            block_product(down, dyt + turned, p + j * kSteps * kPanelWords, dv + block, q0 > first_seeing);
            block_product(down, qt + turned, ds + j * kSteps * kPanelWords, dk + block, q0 > first_seeing);
          }
          for (uint32_t i = 0; i < down; i++)
            block_product(across, ds_lines + i * kSteps * kPanelWords, ks + d * kSteps * kPanelWords,
                          dq + block_floats(q0 + i * kSide, steps) + d * kBlockWords, k0 > 0);
        }
      }
      write_turned(dk, nk, D, call.factor, first_query > 0, dq_to + hidden + k0 * row, row);
      write_turned(dv, nk, D, call.site.scale, first_query > 0, dq_to + 2 * hidden + k0 * row, row);
    }
    for (uint32_t r = 0; r < rows; r += kSide)
      write_blocks(dq + block_floats(r, steps), rows - r < kSide ? rows - r : kSide, D, [&](uint32_t) { return call.factor; },
                   dq_to + (first_query + r) * row, row);
  }
}

}  // namespace
