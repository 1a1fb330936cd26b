// Word + segment + position embeddings, layer normalisation, dropout:
//
//   y[n] = dropout(LN(word[ids[n]] + segment[segments[n]] + position[positions[n]]) weight + bias),   y [rows, width]
//
// Work split: forward, and in backward the gradient of every row's sum into dsum, as row_norm.cuh says; the ids of a row are
// fetched while the row before it is computed. Then rows are sorted by id and added up (group_rows.cuh).
// Numerics: an id outside its table counts as the nearest one inside. Tables, sums and dsum are f32 whatever y is. Saved for
// backward: mean, rstd; the sum is read from the tables again.
// Floor: forward, the row of `word` and y; backward dy, the row of `word`, dsum written once and read three times, and
// the gradients of ids that occur. Segments and positions come from L2.
#include "group_rows.cuh"
#include "row_dropout.cuh"
#include "row_norm.cuh"

namespace {

// Neighbouring elements of a thread: 16 bytes of a table.
constexpr uint32_t kN = 4;

// A table of embeddings and the ids that pick its rows.
struct Table {
  const int32_t* __restrict__ ids;
  const float* __restrict__ values;
  uint32_t count;

  __device__ __forceinline__ uint32_t id(uint32_t n) const { return clamp_id(ids[n], count); }
};

struct PickedIds {
  uint32_t word, segment, position;
};

template <uint32_t N>
struct PickedLoad {
  Pack<float, N> word, segment, position;

  __device__ __forceinline__ Pack<float, N> sum() const {
    float v[N];
#pragma unroll
    for (uint32_t i = 0; i < N; i++) v[i] = word[i] + segment[i] + position[i];
    return Pack<float, N>::of(v);
  }
};

struct PickedTables {
  Table word, segment, position;
  uint32_t width;

  __device__ __forceinline__ PickedIds key(uint32_t n) const { return {word.id(n), segment.id(n), position.id(n)}; }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> of(const Table& table, uint32_t id, uint32_t h) const {
    return Pack<float, N>::load(table.values + size_t(id) * width + h);
  }
  template <uint32_t N>
  __device__ __forceinline__ PickedLoad<N> load(PickedIds id, uint32_t h) const {
    return {of<N>(word, id.word, h), of<N>(segment, id.segment, h), of<N>(position, id.position, h)};
  }
  bool wide() const { return width % kN == 0 && all_aligned_16(word.values, segment.values, position.values); }
};

// Whether kN elements of T may be accessed at once. Host.
template <class T>
bool is_wide(const T* at) {
  return reinterpret_cast<uintptr_t>(at) % (kN * sizeof(T)) == 0;
}

// ---------------------------------------------------------------- forward

template <class T>
struct EmbeddingRow {
  PickedTables tables;
  T* __restrict__ y;
  DropoutParams dropout;

  using Value = float;
  using Key = PickedIds;
  template <uint32_t N>
  using Load = PickedLoad<N>;

  __device__ __forceinline__ DropoutSite site() const { return dropout.site(); }
  __device__ __forceinline__ Key key(uint32_t n) const { return tables.key(n); }
  template <uint32_t N>
  __device__ __forceinline__ Load<N> load(Key key, uint32_t, uint32_t h) const {
    return tables.load<N>(key, h);
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> value(const DropoutSite&, uint32_t, uint32_t, const Load<N>& loaded) const {
    return loaded.sum();
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> again(Key key, uint32_t, uint32_t h) const {
    return tables.load<N>(key, h).sum();
  }
  template <uint32_t N>
  __device__ __forceinline__ void store(const DropoutSite& site, uint32_t n, uint32_t h, float (&v)[N]) const {
    drop(site, n, h, v);
    Pack<T, N>::of(v).store(y + size_t(n) * tables.width + h);
  }
};

template <class T>
void embedding_forward(Launch& launch, Buffer<const int32_t> ids, Buffer<const int32_t> segments, Buffer<const int32_t> positions,
                       Buffer<const float> word, Buffer<const float> segment, Buffer<const float> position,
                       Buffer<const float> weight, Buffer<const float> bias, Buffer<T> y, Buffer<float> mean, Buffer<float> rstd,
                       Param<uint32_t> rows, Param<uint32_t> width, Param<uint32_t> word_count, Param<uint32_t> segment_count,
                       Param<uint32_t> position_count, Param<float> eps, Param<float> p, Param<uint32_t> seed,
                       Param<uint32_t> draw, Param<uint32_t> stream, Param<uint32_t> layer) {
  const PickedTables tables{{ids.data, word.data, word_count.most},
                            {segments.data, segment.data, segment_count.most},
                            {positions.data, position.data, position_count.most},
                            width.most};
  const bool wide = tables.wide() && all_aligned_16(weight.data, bias.data) && is_wide(y.data);
  record_norm_forward<kN>(launch, wide, EmbeddingRow<T>{tables, y.data, {p, seed, draw, stream, layer}}, weight, bias, mean, rstd,
                          rows, width, eps);
}

// ---------------------------------------------------------------- backward

template <class T>
struct EmbeddingGradient {
  PickedTables tables;
  const T* __restrict__ dy;
  float* __restrict__ dsum;
  DropoutParams dropout;

  using Gradient = float;
  using Value = float;
  using Key = PickedIds;
  template <uint32_t N>
  struct Load {
    Pack<T, N> dy;
    PickedLoad<N> picked;
  };

  __device__ __forceinline__ DropoutSite site() const { return dropout.site(); }
  __device__ __forceinline__ Key key(uint32_t n) const { return tables.key(n); }
  template <uint32_t N>
  __device__ __forceinline__ Load<N> load(Key key, uint32_t n, uint32_t h) const {
    return {Pack<T, N>::load(dy + size_t(n) * tables.width + h), tables.load<N>(key, h)};
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> gradient(const DropoutSite& site, uint32_t n, uint32_t h, const Load<N>& loaded) const {
    float v[N];
#pragma unroll
    for (uint32_t i = 0; i < N; i++) v[i] = loaded.dy[i];
    drop(site, n, h, v);
    return Pack<float, N>::of(v);
  }
  template <uint32_t N>
  __device__ __forceinline__ Pack<float, N> value(const Load<N>& loaded) const {
    return loaded.picked.sum();
  }
  template <uint32_t N>
  __device__ __forceinline__ void store(const DropoutSite&, uint32_t n, uint32_t h, const float (&v)[N]) const {
    Pack<float, N>::of(v).store(dsum + size_t(n) * tables.width + h);
  }
};

template <class T>
void embedding_backward(Launch& launch, Buffer<const T> dy, Buffer<const int32_t> ids, Buffer<const int32_t> segments,
                        Buffer<const int32_t> positions, Buffer<const float> word, Buffer<const float> segment,
                        Buffer<const float> position, Buffer<const float> weight, Buffer<const float> mean,
                        Buffer<const float> rstd, Buffer<float> dword, Buffer<float> dsegment, Buffer<float> dposition,
                        Buffer<float> dweight, Buffer<float> dbias, Buffer<float> dsum, Buffer<float> partial,
                        Param<uint32_t> rows, Param<uint32_t> width, Param<uint32_t> word_count, Param<uint32_t> segment_count,
                        Param<uint32_t> position_count, Param<float> p, Param<uint32_t> seed, Param<uint32_t> draw,
                        Param<uint32_t> stream, Param<uint32_t> layer) {
  const PickedTables tables{{ids.data, word.data, word_count.most},
                            {segments.data, segment.data, segment_count.most},
                            {positions.data, position.data, position_count.most},
                            width.most};
  const bool wide = tables.wide() && all_aligned_16(weight.data, dsum.data, partial.data) && is_wide(dy.data);
  record_norm_backward<kN>(launch, wide, EmbeddingGradient<T>{tables, dy.data, dsum.data, {p, seed, draw, stream, layer}}, weight,
                           mean, rstd, dweight, dbias, partial, rows, width);
  record_group_sums(launch,
                    {{ids.data, word_count.most, dword.data},
                     {segments.data, segment_count.most, dsegment.data},
                     {positions.data, position_count.most, dposition.data}},
                    dsum.data, uint32_t(mean.size), width.most, rows);
}

}  // namespace

EXPORT_KERNELS(embedding, KERNELS(embedding_forward), KERNELS(embedding_backward))
