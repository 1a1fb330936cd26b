// Projection onto a vocabulary and cross-entropy without the logits in memory:
//
//   logits[m,v] = sum_e x[m,e] weight[v,e] + bias[v],   lse[m] = log sum_v exp(logits[m,v]),   loss[m] = lse[m] - logits[m,label]
//   dlogits[m,v] = dloss[m] (exp(logits[m,v] - lse[m]) - [v = label]),   x [rows, width], weight [vocabulary, width]
//
// Work split: the vocabulary is cut into chunks of 256. A tile of logits, chunk x at most 96 rows of x, is held transposed
// (a line per word, a lane per row of x), so that sums over the vocabulary are sums of vectors. Forward, one task is a
// chunk; it leaves the largest logit and the sum of exponentials of every row in `statistics`, which are then joined in
// order (online softmax, Milakov and Gimelshein 2018). Backward, one task is a group of chunks (at most 32 groups): it
// owns their dweight and dbias and writes the group's part of dx, [groups, rows, width]; the parts are added in order.
// Numerics: a logit that is not finite makes the loss of its row NaN, and so does a label past the vocabulary; a label
// below 0 gives loss 0 and no gradient. Saved for backward: lse.
#include "gemm.h"
#include "kernel.h"

namespace {

constexpr uint32_t kChunk = 256;   // VOCABULARY_CHUNK
constexpr uint32_t kGroups = 32;   // VOCABULARY_GROUPS
constexpr uint32_t kLanes = 96;    // rows of x in a tile: whole vectors of every instruction set
constexpr uint32_t kFloor = 16;    // what stays of it for very wide x

// Rows of x in a tile such that x transposed, the logits and two lines of coefficients fit a thread's scratch.
inline uint32_t tile_lanes(uint32_t width) {
  const size_t fit = Team::kScratchFloats / (size_t(width) + kChunk + 2) / kFloor * kFloor;
  return fit >= kLanes ? kLanes : uint32_t(fit);
}

struct Tile {
  uint32_t lanes;   // pitch
  float* xt;        // [width, lanes]
  float* logits;    // [kChunk, lanes]
  float* scale;     // [lanes]
  float* lse;       // [lanes]
};

inline Tile tile_of(Team& team, uint32_t width) {
  const uint32_t lanes = tile_lanes(width);
  float* p = team.scratch();
  return {lanes, p, p + size_t(width) * lanes, p + size_t(width + kChunk) * lanes, p + size_t(width + kChunk + 1) * lanes};
}

// A row of the transposed logits is one word.
struct AddWordBias {
  const float* bias;
  V operator()(V v, uint32_t row, uint32_t, uint32_t) const { return v + set1(bias[row]); }
};

// Logits of `words` words from `v0` on and `n` rows from `m0` on.
inline void tile_logits(const Tile& t, const float* x, const float* weight, const float* bias, uint32_t v0, uint32_t words,
                        uint32_t m0, uint32_t n, uint32_t width) {
  copy_transposed(x + size_t(m0) * width, width, n, width, t.xt, t.lanes);
  gemm_local(words, n, width, rows_of(weight + size_t(v0) * width, width), t.xt, t.lanes, t.logits, t.lanes, false,
             AddWordBias{bias + v0});
}

// ---------------------------------------------------------------- forward

void linear_cross_entropy_forward(Team& team, const float* x, const float* weight, const float* bias, const int32_t* labels,
                                  float* loss, float* lse, float* correct, float* statistics, uint32_t rows, uint32_t width,
                                  uint32_t vocabulary) {
  const uint32_t chunks = (vocabulary + kChunk - 1) / kChunk;
  const Tile t = tile_of(team, width);
  float* label_logit = statistics + size_t(chunks) * 2 * rows;  // of rows with a label
  float* label_first = label_logit + rows;                      // 1 if it is the first largest of its chunk
  each(team, chunks, [&](uint32_t c) {
    const uint32_t v0 = c * kChunk, words = vocabulary - v0 < kChunk ? vocabulary - v0 : kChunk;
    float *largest = statistics + size_t(c) * 2 * rows, *sums = largest + rows;
    for (uint32_t m0 = 0; m0 < rows; m0 += t.lanes) {
      const uint32_t n = rows - m0 < t.lanes ? rows - m0 : t.lanes;
      tile_logits(t, x, weight, bias, v0, words, m0, n, width);
      vectors(n, [&](uint32_t i, uint32_t k) {
        V top = load_n(t.logits + i, k);
        for (uint32_t v = 1; v < words; v++) top = max(top, load_n(t.logits + size_t(v) * t.lanes + i, k));
        V s = zero();
        for (uint32_t v = 0; v < words; v++) {
          const V d = load_n(t.logits + size_t(v) * t.lanes + i, k) - top;
          s = fma(d, zero(), s + exp(d));  // exp gives 0 for NaN: keep it in the sum
        }
        store_n(largest + m0 + i, top, k);
        store_n(sums + m0 + i, s, k);
      });
      for (uint32_t i = 0; i < n; i++) {
        const uint32_t m = m0 + i;
        if (labels[m] < int64_t(v0) || labels[m] >= int64_t(v0) + words) continue;
        const uint32_t label = uint32_t(labels[m]) - v0;
        const float logit = t.logits[size_t(label) * t.lanes + i];
        bool is_first = logit == largest[m];
        for (uint32_t v = 0; is_first && v < label; v++) is_first = t.logits[size_t(v) * t.lanes + i] < logit;
        label_logit[m] = logit;
        label_first[m] = is_first;
      }
    }
  });
  each_range(team, rows, 16, [&](uint32_t begin, uint32_t end) {
    for (uint32_t m = begin; m < end; m++) {
      float top = statistics[m];
      for (uint32_t c = 1; c < chunks; c++) {
        const float other = statistics[size_t(c) * 2 * rows + m];
        if (other > top) top = other;
      }
      double total = 0;
      for (uint32_t c = 0; c < chunks; c++) {
        const float* part = statistics + size_t(c) * 2 * rows + m;
        total += double(part[rows]) * ::exp(double(part[0]) - double(top));
      }
      const double sum = double(top) + ::log(total);
      lse[m] = float(sum);
      const bool has_label = labels[m] >= 0 && uint32_t(labels[m]) < vocabulary;
      loss[m] = has_label ? float(sum - double(label_logit[m])) : labels[m] < 0 ? 0.0f : NAN;
      bool is_best = has_label && label_first[m] > 0;
      for (uint32_t c = 0; is_best && c < chunks; c++) {
        const float other = statistics[size_t(c) * 2 * rows + m];
        is_best = c < uint32_t(labels[m]) / kChunk ? other < label_logit[m] : other <= label_logit[m];
      }
      correct[m] = is_best ? 1.0f : 0.0f;
    }
  });
}

// ---------------------------------------------------------------- backward

void linear_cross_entropy_backward(Team& team, const float* dloss, const float* x, const float* weight, const float* bias,
                                   const int32_t* labels, const float* lse, float* dx, float* dweight, float* dbias,
                                   float* partial, uint32_t rows, uint32_t width, uint32_t vocabulary) {
  const uint32_t chunks = (vocabulary + kChunk - 1) / kChunk;
  const uint32_t most = chunks < kGroups ? chunks : kGroups;
  const uint32_t size = (chunks + most - 1) / most, groups = (chunks + size - 1) / size;
  const Tile t = tile_of(team, width);
  each(team, groups, [&](uint32_t g) {
    float* part = partial + size_t(g) * rows * width;
    const uint32_t stop = (g + 1) * size < chunks ? (g + 1) * size : chunks;
    for (uint32_t c = g * size; c < stop; c++) {
      const uint32_t v0 = c * kChunk, words = vocabulary - v0 < kChunk ? vocabulary - v0 : kChunk;
      for (uint32_t m0 = 0; m0 < rows; m0 += t.lanes) {
        const uint32_t n = rows - m0 < t.lanes ? rows - m0 : t.lanes;
        tile_logits(t, x, weight, bias, v0, words, m0, n, width);
        for (uint32_t i = 0; i < n; i++) {
          const bool has_label = labels[m0 + i] >= 0 && uint32_t(labels[m0 + i]) < vocabulary;
          t.scale[i] = has_label ? dloss[m0 + i] : 0.0f;
          t.lse[i] = lse[m0 + i];
        }
        vectors(n, [&](uint32_t i, uint32_t k) {
          const V scale = load_n(t.scale + i, k), total = load_n(t.lse + i, k);
          for (uint32_t v = 0; v < words; v++) {
            float* p = t.logits + size_t(v) * t.lanes + i;
            store_n(p, scale * exp(load_n(p, k) - total), k);
          }
        });
        for (uint32_t i = 0; i < n; i++) {
          const int64_t label = int64_t(labels[m0 + i]) - v0;
          if (label >= 0 && label < words) t.logits[size_t(label) * t.lanes + i] -= t.scale[i];
        }
        for (uint32_t v = 0; v < words; v++) {
          V s = zero();
          vectors(n, [&](uint32_t i, uint32_t k) { s = s + load_n(t.logits + size_t(v) * t.lanes + i, k); });
          dbias[v0 + v] += sum(s);
        }
        gemm_local(words, width, n, rows_of(t.logits, t.lanes), x + size_t(m0) * width, width, dweight + size_t(v0) * width, width,
                   true);
        gemm_local(n, width, words, transposed(t.logits, t.lanes), weight + size_t(v0) * width, width, part + size_t(m0) * width,
                   width, c > g * size);
      }
    }
  });
  const size_t plane = size_t(rows) * width;
  each_range(team, rows, 16, [&](uint32_t begin, uint32_t end) {
    const size_t at = size_t(begin) * width;
    vectors((end - begin) * width, [&](uint32_t i, uint32_t k) {
      V s = load_n(partial + at + i, k);
      for (uint32_t g = 1; g < groups; g++) s = s + load_n(partial + g * plane + at + i, k);
      store_n(dx + at + i, s, k);
    });
  });
}

}  // namespace

EXPORT_KERNELS(linear_cross_entropy, KERNEL(linear_cross_entropy_forward), KERNEL(linear_cross_entropy_backward))
