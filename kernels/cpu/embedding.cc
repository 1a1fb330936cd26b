// Word + segment + position embeddings, layer normalisation, dropout:
//
//   y[n] = dropout(LN(word[ids[n]] + segment[segments[n]] + position[positions[n]]) weight + bias),   y [rows, width]
//
// Work split: forward, one task is 16 rows. Backward computes the gradient of every row's sum into dsum, in blocks of 64
// rows whose dweight and dbias go to `partial`; then one task owns 64 columns of the rows of one table whose id has the
// same last bits, and adds what the rows of the batch send there, in their order: no two tasks write the same float.
// Numerics: an id outside its table counts as the nearest one inside. Saved for backward: mean, rstd; the sum is read
// from the tables again.
#include "kernel.h"
#include "row_dropout.h"
#include "row_norm.h"

namespace {

constexpr uint32_t kScatterGroups = 32;  // a power of two
constexpr uint32_t kScatterColumns = 64;

inline uint32_t clamp_id(int32_t id, uint32_t count) {
  return id < 0 ? 0 : uint32_t(id) < count ? uint32_t(id) : count - 1;
}

// A table of embeddings and the ids that pick its rows.
struct Table {
  const int32_t* ids;
  const float* values;
  float* gradient;
  uint32_t count;
};

inline const float* picked(const Table& t, uint32_t n, uint32_t width) {
  return t.values + size_t(clamp_id(t.ids[n], t.count)) * width;
}

inline void sum_row(const Table* tables, uint32_t n, float* x, uint32_t width) {
  const float *a = picked(tables[0], n, width), *b = picked(tables[1], n, width), *c = picked(tables[2], n, width);
  vectors(width, [&](uint32_t i, uint32_t k) { store_n(x + i, load_n(a + i, k) + load_n(b + i, k) + load_n(c + i, k), k); });
}

// Groups of rows of a table: those whose id is the same modulo a power of two.
inline uint32_t scatter_groups(uint32_t count) {
  uint32_t groups = 1;
  while (groups < kScatterGroups && groups * 2 <= count) groups *= 2;
  return groups;
}

inline void scatter(const Table& t, uint32_t group, uint32_t column, const float* dsum, uint32_t rows, uint32_t width) {
  const uint32_t mask = scatter_groups(t.count) - 1, n = width - column < kScatterColumns ? width - column : kScatterColumns;
  for (uint32_t r = 0; r < rows; r++) {
    const uint32_t id = clamp_id(t.ids[r], t.count);
    if ((id & mask) != group) continue;
    float* to = t.gradient + size_t(id) * width + column;
    const float* from = dsum + size_t(r) * width + column;
    vectors(n, [&](uint32_t i, uint32_t k) { store_n(to + i, load_n(to + i, k) + load_n(from + i, k), k); });
  }
}

// ---------------------------------------------------------------- forward

template <class T>
void embedding_forward(Team& team, const int32_t* ids, const int32_t* segments, const int32_t* positions, const float* word,
                       const float* segment, const float* position, const float* weight, const float* bias, T* y, float* mean,
                       float* rstd, uint32_t rows, uint32_t width, uint32_t word_count, uint32_t segment_count,
                       uint32_t position_count, float eps, float p, uint32_t seed, uint32_t draw, uint32_t stream, uint32_t layer) {
  const Table tables[3] = {{ids, word, nullptr, word_count},
                           {segments, segment, nullptr, segment_count},
                           {positions, position, nullptr, position_count}};
  const DropoutSite site = dropout_site(p, seed, draw, stream, layer);
  float* x = team.scratch();
  uint32_t* words = reinterpret_cast<uint32_t*>(x + dropout_room(width));
  each_range(team, rows, 16, [&](uint32_t begin, uint32_t end) {
    for (uint32_t n = begin; n < end; n++) {
      T* row = y + size_t(n) * width;
      sum_row(tables, n, x, width);
      if (p > 0) {
        normalize_row(x, weight, bias, x, mean + n, rstd + n, width, eps);
        dropout_row(site, n, x, row, width, words);
      } else {
        normalize_row(x, weight, bias, row, mean + n, rstd + n, width, eps);
      }
    }
  });
}

// ---------------------------------------------------------------- backward

template <class T>
void embedding_backward(Team& team, const T* dy, const int32_t* ids, const int32_t* segments, const int32_t* positions,
                        const float* word, const float* segment, const float* position, const float* weight, const float* mean,
                        const float* rstd, float* dword, float* dsegment, float* dposition, float* dweight, float* dbias,
                        float* dsum, float* partial, uint32_t rows, uint32_t width, uint32_t word_count, uint32_t segment_count,
                        uint32_t position_count, float p, uint32_t seed, uint32_t draw, uint32_t stream, uint32_t layer) {
  const Table tables[3] = {{ids, word, dword, word_count},
                           {segments, segment, dsegment, segment_count},
                           {positions, position, dposition, position_count}};
  const DropoutSite site = dropout_site(p, seed, draw, stream, layer);
  float* x = team.scratch();
  uint32_t* words = reinterpret_cast<uint32_t*>(x + dropout_room(width));
  each_range(team, rows, kNormBlock, [&](uint32_t begin, uint32_t end) {
    float* part = partial + size_t(begin / kNormBlock) * 2 * width;
    memset(part, 0, 2 * width * sizeof(float));
    for (uint32_t n = begin; n < end; n++) {
      const T* g = dy + size_t(n) * width;
      float* to = dsum + size_t(n) * width;
      sum_row(tables, n, x, width);
      if (p > 0) {
        dropout_row(site, n, g, to, width, words);
        normalize_row_backward(to, x, weight, mean[n], rstd[n], to, part, part + width, width);
      } else {
        normalize_row_backward(g, x, weight, mean[n], rstd[n], to, part, part + width, width);
      }
    }
  });
  reduce_norm_partials(team, partial, dweight, dbias, rows, width);

  const uint32_t blocks = (width + kScatterColumns - 1) / kScatterColumns;
  const uint32_t words_end = scatter_groups(word_count), segments_end = words_end + scatter_groups(segment_count);
  const uint32_t groups = segments_end + scatter_groups(position_count);
  each(team, groups * blocks, [&](uint32_t t) {
    const uint32_t g = t / blocks, column = t % blocks * kScatterColumns;
    if (g < words_end)
      scatter(tables[0], g, column, dsum, rows, width);
    else if (g < segments_end)
      scatter(tables[1], g - words_end, column, dsum, rows, width);
    else
      scatter(tables[2], g - segments_end, column, dsum, rows, width);
  });
}

}  // namespace

EXPORT_KERNELS(embedding, KERNELS(embedding_forward), KERNELS(embedding_backward))
