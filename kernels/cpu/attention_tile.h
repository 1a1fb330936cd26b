// Attention in bf16 on tiles (simd/tile.h): operands of all products rounded to bf16, sums, softmax and its gradient in f32.
// Every sequence takes this way, however short: 32 queries against 32 keys of D = 64 are four steps of tiles, less than
// any form of them costs in f32.
//
// Forward, with C of 32 x 32 floats (block_product): for 32 queries at a time, scores against kTileKeys keys go to a buffer
// that stays in L1; there the online softmax turns them into probabilities relative to the largest score so far, which
// are the A of the product with the values. Dropout's 1 / (1 - rate) and the sum of exponentials divide y at the end.
// Backward: for kTileSide keys at a time, kTileSide queries at a time: p and ds are made 32 x 32 by 32 x 32, as soon as their
// scores and dp are there, so that only they are kept, in L1 too. The sums run the other way round, dv^T = dy^T p and
// dk^T = q^T ds: then p and ds are the B of those products, pairs of neighbouring queries, which come of two rows at
// once, and nothing is transposed but dv and dk when they are written. dv and dk of the keys are complete when all
// queries have passed; dq of all queries waits in L2.
//
// Operands are packed once a head where they fit the scratch (L2): keys and values in both directions (forward), queries and
// dy in both (backward; keys and values once for each kTileSide of them). Longer sequences, of thousands of rows at D = 64:
// forward packs keys again for each block of queries; backward goes through the queries in parts, and adds what a part
// gives to dk and dv to their bf16.
//
// What a step of 32 x 32 x 32 takes: 4 products of tiles (64 cycles), 4 loads of operands (32 cycles in L1), and its share of
// C, a load 8 and a store 16 cycles a tile. At D = 64:
//
//   product          A in           B in           loads  stores  a step, C included
//   q k^T            L1             L2, in order     4      2
//   p v              L1             L2, in order    <= 5    1      C once in 4 steps, loaded but for the first keys
//   dy v^T           L2, in order   L1               4      2      (and q k^T of backward)
//   dy^T p, q^T ds   L2, in order   L1               6      2      C once in 2 steps
//   ds k             L1             L1               6      2      C, from L2, once in 2 steps
//
// Expected, not measured: loads from L2 in order on one side put a step between 28 and 52 ns at 2.86 GHz where the products
// alone take 22, say 40 (56% of the peak). 32 queries against 32 keys at D = 64 are 4 steps forward and 10 backward, 160 and
// 400 ns, beside which 64 vectors of exponentials cost about as much again or twice that: 20 to 30% of the peak
// of tiles, and more than half of the time outside of the products.
#pragma once
#include "attention.h"
#include "tile_gemm.h"

namespace {

constexpr uint32_t kTileKeys = 128;  // keys of a block of scores: 16 KiB
constexpr uint32_t kTileSide = 64;   // queries and keys of a block of backward
// Half a KiB between scores and probabilities. At the same distance from a page, the loads of a row's next scores would wait
// for the stores of its probabilities: a load takes a store before it with equal lower 12 bits for its own.
constexpr uint32_t kApart = 128;

// Words of the panels, and floats of the blocks of C, of n rows of a head of `steps` tiles; n is a multiple of kSide.
constexpr size_t packed_words(uint32_t n, uint32_t steps) { return size_t(n / kSide) * steps * kPanelWords; }
constexpr size_t block_floats(uint32_t n, uint32_t steps) { return size_t(n / kSide) * steps * kBlockWords; }

// Most rows, a multiple of `unit`, of which each 32 take `each` floats of a scratch that has `fixed` taken already.
constexpr uint32_t rows_that_fit(size_t fixed, size_t each, uint32_t unit) {
  return uint32_t((Team::kScratchFloats - fixed) / each) * kSide / unit * unit;
}
constexpr uint32_t keys_held(uint32_t steps) {
  return rows_that_fit(packed_words(kQueries, steps) + block_floats(kQueries, steps) + kTileKeys * kSide * 3 / 2 + kApart,
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

// Row r of `halves` in tiles of A, from element k on, a multiple of 16.
inline bf16* halves_of(Pair* panel, uint32_t r, uint32_t k) {
  return reinterpret_cast<bf16*>(panel + k / kSide * kPanelWords + r / 16 * kTileWords + r % 16 * 16 + k % kSide / 2);
}

// ---------------------------------------------------------------- forward

// Turns row r of the scores of nk keys into probabilities relative to the largest score so far; `words` decide which are
// dropped, unless there are none. Returns the factor for what was summed before.
inline float softmax_row(const Attention& call, float* scores, uint32_t r, uint32_t nk, const uint32_t* words, bool first_keys,
                         Running& running, Pair* probabilities) {
  const uint32_t width = tiles_of(nk) * kSide;
  V top = set1(-INFINITY);
  for (uint32_t k = 0; k < width; k += W) {
    float* s = vector_of(scores, r, k);
    V x = load(s);
    if (k + W > nk) store(s, x = V{_mm512_mask_blend_ps(first(k < nk ? nk - k : 0), set1(-INFINITY).v, x.v)});
    top = max(top, x);
  }
  const float shrink = running.raise(largest(top) * call.factor, first_keys);
  const V factor = set1(call.factor), peak = set1(-running.peak);
  V sums = zero();
  for (uint32_t k = 0; k < width; k += W) {
    V e = exp(fma(load(vector_of(scores, r, k)), factor, peak));
    sums = sums + e;
    if (words) e = keep(words + k, call.site.threshold, e);
    store(halves_of(probabilities, r, k), e);
  }
  running.add(shrink, sum(sums));
  return shrink;
}

inline void tile_forward(const Attention& call, const Head& head, float* scratch, const bf16* qkv, bf16* y, float* lse) {
  const uint32_t D = call.D, steps = tiles_of(D), S = head.S, most = keys_held(steps);
  const uint32_t held = S < most ? tiles_of(S) * kSide : most;
  const bf16* q = qkv + head.start * call.row + head.a * D;
  Arena arena{scratch};
  Pair *kt = take_pairs(arena, packed_words(held, steps)), *v = take_pairs(arena, packed_words(held, steps));
  Pair* qs = take_pairs(arena, packed_words(kQueries, steps));
  float *scores = arena.take(kTileKeys * kSide + kApart), *sums;
  Pair* probabilities = take_pairs(arena, kTileKeys * kSide / 2);
  sums = arena.take(block_floats(kQueries, steps));
  const auto load_keys = [&](uint32_t k0, uint32_t nk) {
    pack_lines<true>(q + call.hidden + k0 * call.row, call.row, nk, D, steps, kt);
    pack_steps<false>(q + 2 * call.hidden + k0 * call.row, call.row, nk, D, held / kSide, v);
  };
  if (S <= held && S > 0) load_keys(0, S);
  for (uint32_t q0 = 0; q0 < S; q0 += kQueries) {
    const uint32_t nq = S - q0 < kQueries ? S - q0 : kQueries;
    const size_t at = head.start + q0;
    Running running[kQueries];
    pack_lines<false>(q + q0 * call.row, call.row, nq, D, steps, qs);
    for (uint32_t k0 = 0; k0 < S; k0 += kTileKeys) {
      if (S > held && k0 % held == 0) load_keys(k0, S - k0 < held ? S - k0 : held);
      const uint32_t nk = S - k0 < kTileKeys ? S - k0 : kTileKeys, panel = k0 % held / kSide;
      for (uint32_t j = 0; j < tiles_of(nk); j++)
        block_product(steps, qs, kt + packed_words((panel + j) * kSide, steps), scores + j * kBlockWords, false);
      for (uint32_t r = 0; r < nq; r++) {
        alignas(64) uint32_t words[kTileKeys];
        if (call.drops) philox_words(call.site, k0, nk, head.plane(call, q0 + r), words);
        const float shrink = softmax_row(call, scores, r, nk, call.drops ? words : nullptr, k0 == 0, running[r], probabilities);
        for (uint32_t d = 0; k0 > 0 && d < D; d += W) {
          float* o = vector_of(sums, r, d);
          store(o, set1(shrink) * load(o));
        }
      }
      for (uint32_t d = 0; d < steps; d++)
        block_product(tiles_of(nk), probabilities, v + (size_t(d) * (held / kSide) + panel) * kPanelWords, sums + d * kBlockWords,
                      k0 > 0);
    }
    const float kept = call.drops ? call.site.scale : 1.0f;
    write_blocks(sums, nq, D, [&](uint32_t r) { return kept / running[r].total; }, y + at * call.hidden + head.a * D, call.hidden);
    for (uint32_t r = 0; r < nq; r++) lse[(at + r) * call.heads + head.a] = running[r].lse();
  }
}

// ---------------------------------------------------------------- backward

// What backward keeps of 32 queries x 32 keys: p (after dropout, without its factor) and ds as B, whose steps are queries,
// and ds as A, whose steps are keys.
struct GradientTiles {
  Pair *p, *ds, *ds_lines;
};

// p and ds of the first nq of 32 queries and the first nk of 32 keys, the first of which are number `query` and `key` of the
// sequence, from their scores and dp.
inline void gradient_block(const Attention& call, const Head& head, const float* scores, const float* dps, const float* lse,
                           const float* delta, uint32_t query, uint32_t nq, uint32_t key, uint32_t nk, const GradientTiles& to) {
  alignas(64) uint32_t words[2][kSide];
  const V factor = set1(call.factor), kept = set1(call.site.scale);
  for (uint32_t r = 0; r < kSide; r += 2) {
    const bool there = r < nq;
    if (call.drops && there)
      for (uint32_t t = 0; t < 2; t++) philox_words(call.site, key, kSide, head.plane(call, query + r + t), words[t]);
    for (uint32_t k = 0; k < kSide; k += W) {
      Pair *p_to = to.p + k / W * kTileWords + r / 2 * 16, *ds_to = to.ds + k / W * kTileWords + r / 2 * 16;
      __m256i p[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, ds[2] = {p[0], p[0]};
      for (uint32_t t = 0; there && t < 2; t++) {
        const V x = exp(fma(load(vector_of(scores, r + t, k)), factor, set1(-lse[r + t])));
        // keys that are not there have scores of 0, whose exponential may be anything
        V e = {_mm512_maskz_mov_ps(first(k < nk ? nk - k : 0), x.v)}, dp = load(vector_of(dps, r + t, k));
        if (call.drops) dp = keep(words[t] + k, call.site.threshold, kept * dp);
        ds[t] = narrow((e * (dp - set1(delta[r + t]))).v);
        if (call.drops) e = keep(words[t] + k, call.site.threshold, e);
        p[t] = narrow(e.v);
        store_halves(reinterpret_cast<Pair*>(halves_of(to.ds_lines, r + t, k)), ds[t]);
      }
      store_pairs(p_to, p[0], p[1]);
      store_pairs(ds_to, ds[0], ds[1]);
    }
  }
}

// Writes, or adds, factor times the transpose of blocks of C: c [D, kTileSide], of which the first `rows` columns are rows.
inline void write_turned(const float* c, uint32_t rows, uint32_t D, float factor, bool add, bf16* to, ptrdiff_t row) {
  const V f = set1(factor);
  for (uint32_t i = 0; i < rows; i += 16)
    for (uint32_t d = 0; d < D; d += 16) {
      alignas(64) float part[kTileWords];
      const float* tile = vector_of(c + d / kSide * (kTileSide / kSide) * kBlockWords, d % kSide, i);
      turn_tile(reinterpret_cast<const Pair*>(tile), reinterpret_cast<Pair*>(part));
      const uint32_t n = D - d < 16 ? D - d : 16;
      for (uint32_t r = 0; r < 16 && i + r < rows; r++) {
        bf16* p = to + (i + r) * row + d;
        const V x = f * load(part + r * 16);
        store_n(p, add ? x + load_n(p, n) : x, n);
      }
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
  float *dq = arena.take(block_floats(held, steps)), *lses = arena.take(held), *delta = arena.take(held);
  for (uint32_t first_query = 0; first_query < S; first_query += held) {
    const uint32_t rows = S - first_query < held ? S - first_query : held, panels = tiles_of(rows);
    const size_t at = head.start + first_query;
    const bf16 *q_rows = q + first_query * row, *dy_rows = dy + at * hidden + head.a * D, *y_rows = y + at * hidden + head.a * D;
    pack_lines<false>(q_rows, row, rows, D, steps, qs);
    pack_lines<false>(dy_rows, hidden, rows, D, steps, dys);
    pack_steps<true>(q_rows, row, rows, D, panels, qt);
    pack_steps<true>(dy_rows, hidden, rows, D, panels, dyt);
    for (uint32_t r = 0; r < panels * kSide; r++) {
      lses[r] = r < rows ? lse[(at + r) * call.heads + head.a] : 0;
      delta[r] = r < rows ? dot(dy_rows + r * hidden, y_rows + r * hidden, D) : 0;
    }
    for (uint32_t k0 = 0; k0 < S; k0 += kTileSide) {
      const uint32_t nk = S - k0 < kTileSide ? S - k0 : kTileSide;
      const bf16 *k_rows = q + hidden + k0 * row, *v_rows = k_rows + hidden;
      pack_lines<true>(k_rows, row, nk, D, steps, kt);
      pack_lines<true>(v_rows, row, nk, D, steps, vt);
      pack_steps<false>(k_rows, row, nk, D, kSteps, ks);
      for (uint32_t q0 = 0; q0 < rows; q0 += kTileSide) {
        const uint32_t nq = rows - q0 < kTileSide ? rows - q0 : kTileSide, down = tiles_of(nq), across = tiles_of(nk);
        for (uint32_t i = 0; i < down; i++)
          for (uint32_t j = 0; j < across; j++) {
            const uint32_t r = q0 + i * kSide, c = j * kSide;
            block_product(steps, qs + packed_words(r, steps), kt + packed_words(c, steps), scores, false);
            block_product(steps, dys + packed_words(r, steps), vt + packed_words(c, steps), dps, false);
            gradient_block(call, head, scores, dps, lses + r, delta + r, first_query + r, rows - r, k0 + c, nk - c,
                           {p + (j * kSteps + i) * kPanelWords, ds + (j * kSteps + i) * kPanelWords,
                            ds_lines + (i * kSteps + j) * kPanelWords});
          }
        for (uint32_t d = 0; d < steps; d++) {
          const size_t turned = (size_t(d) * panels + q0 / kSide) * kPanelWords;
          for (uint32_t j = 0; j < across; j++) {
            const size_t block = (d * kSteps + j) * kBlockWords;
            block_product(down, dyt + turned, p + j * kSteps * kPanelWords, dv + block, q0 > 0);
            block_product(down, qt + turned, ds + j * kSteps * kPanelWords, dk + block, q0 > 0);
          }
          for (uint32_t i = 0; i < down; i++)
            block_product(across, ds_lines + i * kSteps * kPanelWords, ks + d * kSteps * kPanelWords,
                          dq + block_floats(q0 + i * kSide, steps) + d * kBlockWords, k0 > 0);
        }
      }
      const float kept = call.drops ? call.site.scale : 1.0f;
      write_turned(dk, nk, D, call.factor, first_query > 0, dq_to + hidden + k0 * row, row);
      write_turned(dv, nk, D, kept, first_query > 0, dq_to + 2 * hidden + k0 * row, row);
    }
    for (uint32_t r = 0; r < rows; r += kSide)
      write_blocks(dq + block_floats(r, steps), rows - r < kSide ? rows - r : kSide, D, [&](uint32_t) { return call.factor; },
                   dq_to + (first_query + r) * row, row);
  }
}

}  // namespace
