// Layer normalisation of rows, forward and backward, shared by layernorm, dropout_add_layernorm and embedding, which say in
// a functor where a row comes from and where it goes.
//
// Work split: a team of 8 to 256 threads has a row in registers, so that each element is read and written once; a
// thread has N neighbours (16 bytes of the stored type) every `lanes` N columns. Rows longer than 4,096 elements, or whose
// addresses are no multiples of 16 bytes, are read again in each pass (the second and third time from cache).
// Numerics: statistics in f32, the variance in a second pass over the registers, since the difference of squares would lose
// digits when the mean is large. Saved for backward: mean and rstd, one float a row.
//
// Gradients of weight and bias: a block has norm_block(rows) rows; each team adds up its own, teams are added in order into
// `partial` [blocks, 2, hidden], and a second launch adds the blocks in an order that follows from their number.
//
// A forward functor has, for row n and N columns from h on (all inside the row):
//   Value                       the type whose numbers are normalised
//   site()                      what dropout needs in this run, made once a thread
//   Key, key(n)                 what the row needs once, fetched while the row before it is computed
//   load<N>(key, n, h)          reads memory; every load of a row is issued before any is used
//   value<N>(site, n, h, load)  the numbers to normalise, a Pack<Value, N>; may store them
//   again<N>(key, n, h)         the same once more, where the row does not stay in registers
//   store<N>(site, n, h, y)
// A backward functor has site, key, load and
//   Gradient, Value             types of the Packs that stay in registers
//   gradient<N>(site, n, h, load), value<N>(load), store<N>(site, n, h, dx)
#pragma once
#include "pack.cuh"

namespace {

constexpr uint32_t kNormThreads = 256;
constexpr uint32_t kNormWarps = kNormThreads / kWarp;

// Rows of a block in backward: NORM_BLOCK (src/ops/layernorm.ts) of a large batch, fewer of a small one, which else would
// occupy a part of the chip only. It follows from the rows of the run, not from the capacity, so that bits do, too.
constexpr uint32_t kNormBlock = 64, kSmallNormBlock = 8, kSmallBatch = 256;  // blocks of a batch that is no large one, at most
__host__ __device__ constexpr uint32_t norm_block(uint32_t rows) {
  uint32_t block = kSmallNormBlock;
  while (block < kNormBlock && rows > block * kSmallBatch) block *= 2;
  return block;
}

// How a team holds a row: chunk c of thread t begins at column (c lanes + t) N.
template <uint32_t kLanes, uint32_t kChunks, uint32_t kNeighbours>
struct RowForm {
  static constexpr uint32_t lanes = kLanes, chunks = kChunks, N = kNeighbours;
  static constexpr uint32_t columns = lanes * chunks * N;  // at most
  static constexpr uint32_t teams = kNormThreads / lanes;  // of a block
};

// Without dropout, and without anything that a row needs once.
struct Nothing {};

// Sums over a team of two numbers; all threads of the block call it. `partial` is shared memory.
struct TeamSums {
  float a[kNormWarps], b[kNormWarps];
};

template <uint32_t kLanes>
__device__ __forceinline__ float2 team_sum(float a, float b) {
#pragma unroll
  for (uint32_t d = (kLanes < kWarp ? kLanes : kWarp) / 2; d > 0; d /= 2) {
    a += __shfl_xor_sync(kWholeWarp, a, d);
    b += __shfl_xor_sync(kWholeWarp, b, d);
  }
  if constexpr (kLanes > kWarp) {
    constexpr uint32_t kWarps = kLanes / kWarp;
    TeamSums& s = shared_as<TeamSums>();
    __syncthreads();  // the last sums have been read
    if (lane() == 0) s.a[warp()] = a, s.b[warp()] = b;
    __syncthreads();
    const uint32_t first = warp() / kWarps * kWarps;
    a = b = 0;
#pragma unroll
    for (uint32_t w = 0; w < kWarps; w++) a += s.a[first + w], b += s.b[first + w];
  }
  return make_float2(a, b);
}
template <uint32_t kLanes>
__device__ __forceinline__ float team_sum(float a) {
  if constexpr (kLanes > kWarp) {
    return team_sum<kLanes>(a, 0.f).x;
  } else {
#pragma unroll
    for (uint32_t d = kLanes / 2; d > 0; d /= 2) a += __shfl_xor_sync(kWholeWarp, a, d);
    return a;
  }
}

// ---------------------------------------------------------------- forward

template <class Form, class Row>
__global__ void __launch_bounds__(kNormThreads)
norm_forward(Row row, const float* __restrict__ weight, const float* __restrict__ bias, float* __restrict__ mean,
             float* __restrict__ rstd, Param<uint32_t> row_count, uint32_t hidden, Param<float> eps_param) {
  constexpr uint32_t N = Form::N, C = Form::chunks, L = Form::lanes;
  const uint32_t rows = row_count(), t = threadIdx.x % L, team = threadIdx.x / L, step = gridDim.x * Form::teams;
  const float eps = eps_param();
  const auto site = row.site();
  uint32_t first = blockIdx.x * Form::teams;
  typename Row::Key next{};
  if (first + team < rows) next = row.key(first + team);
  for (; first < rows; first += step) {  // all threads of a block, as teams of a warp and warps of a team meet in sums
    const uint32_t n = first + team;
    const auto key = next;
    if (n + step < rows) next = row.key(n + step);
    typename Row::template Load<N> load[C] = {};
    Pack<typename Row::Value, N> x[C] = {};
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (n < rows && h < hidden) load[c] = row.template load<N>(key, n, h);
    }
    float sum = 0;
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (n < rows && h < hidden) x[c] = row.template value<N>(site, n, h, load[c]);
#pragma unroll
      for (uint32_t i = 0; i < N; i++) sum += x[c][i];
    }
    const float m = team_sum<L>(sum) / float(hidden);
    float square = 0;
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      if ((c * L + t) * N >= hidden) continue;  // zeros behind the row are no deviations
#pragma unroll
      for (uint32_t i = 0; i < N; i++) square += (x[c][i] - m) * (x[c][i] - m);
    }
    const float r = 1.0f / sqrtf(team_sum<L>(square) / float(hidden) + eps);
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (n >= rows || h >= hidden) continue;
      const auto w = Pack<float, N>::load(weight + h), b = Pack<float, N>::load(bias + h);
      float y[N];
#pragma unroll
      for (uint32_t i = 0; i < N; i++) y[i] = (x[c][i] - m) * r * w[i] + b[i];
      row.template store<N>(site, n, h, y);
    }
    if (t == 0 && n < rows) mean[n] = m, rstd[n] = r;
  }
}

// Rows of any size, one element at a time.
template <uint32_t kLanes, class Row>
__global__ void __launch_bounds__(kNormThreads)
norm_forward_any(Row row, const float* __restrict__ weight, const float* __restrict__ bias, float* __restrict__ mean,
                 float* __restrict__ rstd, Param<uint32_t> row_count, uint32_t hidden, Param<float> eps_param) {
  constexpr uint32_t kTeams = kNormThreads / kLanes;
  const uint32_t rows = row_count(), t = threadIdx.x % kLanes, team = threadIdx.x / kLanes;
  const float eps = eps_param();
  const auto site = row.site();
  for (uint32_t first = blockIdx.x * kTeams; first < rows; first += gridDim.x * kTeams) {
    const uint32_t n = first + team, end = n < rows ? hidden : 0;
    typename Row::Key key{};
    if (n < rows) key = row.key(n);
    float sum = 0, square = 0;
    for (uint32_t h = t; h < end; h += kLanes)
      sum += row.template value<1>(site, n, h, row.template load<1>(key, n, h))[0];
    const float m = team_sum<kLanes>(sum) / float(hidden);
    for (uint32_t h = t; h < end; h += kLanes) {
      const float d = row.template again<1>(key, n, h)[0] - m;
      square += d * d;
    }
    const float r = 1.0f / sqrtf(team_sum<kLanes>(square) / float(hidden) + eps);
    for (uint32_t h = t; h < end; h += kLanes) {
      float y[1] = {(row.template again<1>(key, n, h)[0] - m) * r * weight[h] + bias[h]};
      row.template store<1>(site, n, h, y);
    }
    if (t == 0 && n < rows) mean[n] = m, rstd[n] = r;
  }
}

// ---------------------------------------------------------------- backward
// g = dy * weight, x^ = (x - mean) rstd:   dx = rstd (g - mean(g) - x^ mean(g x^)),   dweight += dy x^,   dbias += dy

// One of the two sums over the rows of a block, of which each team has its own.
template <class Form>
__device__ __forceinline__ void add_teams(const float (&sum)[Form::chunks][Form::N], float* to, uint32_t hidden) {
  constexpr uint32_t N = Form::N, C = Form::chunks, L = Form::lanes;
  const uint32_t t = threadIdx.x % L, team = threadIdx.x / L;
  if constexpr (Form::teams == 1) {
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (h < hidden) Pack<float, N>::of(sum[c]).store(to + h);
    }
  } else {
    struct Shared {
      float of_team[Form::teams][Form::columns];
    };
    Shared& s = shared_as<Shared>();
    __syncthreads();  // the last sums have been read
#pragma unroll
    for (uint32_t c = 0; c < C; c++) Pack<float, N>::of(sum[c]).store(&s.of_team[team][(c * L + t) * N]);
    __syncthreads();
    for (uint32_t h = threadIdx.x; h < hidden; h += kNormThreads) {
      float total = 0;
#pragma unroll 8
      for (uint32_t k = 0; k < Form::teams; k++) total += s.of_team[k][h];
      to[h] = total;
    }
  }
}

template <class Form>
constexpr size_t norm_shared() {
  return Form::teams == 1 ? sizeof(TeamSums) : Form::teams * Form::columns * sizeof(float);  // of add_teams, which is more
}

template <class Form, class Row>
__global__ void __launch_bounds__(kNormThreads, Form::N == 8 ? 2 : 1)
norm_backward(Row row, const float* __restrict__ weight, const float* __restrict__ mean, const float* __restrict__ rstd,
              float* __restrict__ partial, Param<uint32_t> row_count, uint32_t hidden) {
  constexpr uint32_t N = Form::N, C = Form::chunks, L = Form::lanes;
  const uint32_t rows = row_count(), t = threadIdx.x % L, team = threadIdx.x / L;
  const uint32_t block = norm_block(rows), begin = blockIdx.x * block;
  if (begin >= rows) return;
  const uint32_t end = rows - begin < block ? rows : begin + block;
  const auto site = row.site();
  float dweight[C][N] = {}, dbias[C][N] = {};
  typename Row::Key next{};
  if (begin + team < end) next = row.key(begin + team);
  for (uint32_t first = begin; first < end; first += Form::teams) {
    const uint32_t n = first + team;
    const auto key = next;
    if (n + Form::teams < end) next = row.key(n + Form::teams);
    typename Row::template Load<N> load[C] = {};
    Pack<typename Row::Gradient, N> dy[C] = {};
    Pack<typename Row::Value, N> x[C] = {};
    float m = 0, r = 0;
    if (n < end) m = mean[n], r = rstd[n];
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (n < end && h < hidden) load[c] = row.template load<N>(key, n, h);
    }
    float sum_g = 0, sum_gx = 0;
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (n >= end || h >= hidden) continue;
      dy[c] = row.template gradient<N>(site, n, h, load[c]);
      x[c] = row.template value<N>(load[c]);
      const auto w = Pack<float, N>::load(weight + h);
#pragma unroll
      for (uint32_t i = 0; i < N; i++) {
        const float d = dy[c][i], g = d * w[i], hat = (x[c][i] - m) * r;
        sum_g += g;
        sum_gx += g * hat;
        dweight[c][i] += d * hat;
        dbias[c][i] += d;
      }
    }
    const float2 sums = team_sum<L>(sum_g, sum_gx);
    const float mean_g = sums.x / float(hidden), mean_gx = sums.y / float(hidden);
#pragma unroll
    for (uint32_t c = 0; c < C; c++) {
      const uint32_t h = (c * L + t) * N;
      if (n >= end || h >= hidden) continue;
      const auto w = Pack<float, N>::load(weight + h);
      float dx[N];
#pragma unroll
      for (uint32_t i = 0; i < N; i++) dx[i] = r * (dy[c][i] * w[i] - mean_g - (x[c][i] - m) * r * mean_gx);
      row.template store<N>(site, n, h, dx);
    }
  }
  float* to = partial + size_t(blockIdx.x) * 2 * hidden;
  add_teams<Form>(dweight, to, hidden);
  add_teams<Form>(dbias, to + hidden, hidden);
}

// Rows of any size, one element at a time; a thread owns columns of `partial`.
template <class Row>
__global__ void __launch_bounds__(kNormThreads)
norm_backward_any(Row row, const float* __restrict__ weight, const float* __restrict__ mean, const float* __restrict__ rstd,
                  float* partial, Param<uint32_t> row_count, uint32_t hidden) {
  const uint32_t rows = row_count(), block = norm_block(rows), begin = blockIdx.x * block;
  if (begin >= rows) return;
  const uint32_t end = rows - begin < block ? rows : begin + block;
  const auto site = row.site();
  float *dweight = partial + size_t(blockIdx.x) * 2 * hidden, *dbias = dweight + hidden;
  for (uint32_t n = begin; n < end; n++) {
    const float m = mean[n], r = rstd[n];
    const auto key = row.key(n);
    float sum_g = 0, sum_gx = 0;
    for (uint32_t h = threadIdx.x; h < hidden; h += kNormThreads) {
      const auto load = row.template load<1>(key, n, h);
      const float d = row.template gradient<1>(site, n, h, load)[0], hat = (row.template value<1>(load)[0] - m) * r;
      sum_g += d * weight[h];
      sum_gx += d * weight[h] * hat;
      dweight[h] = d * hat + (n > begin ? dweight[h] : 0.f);
      dbias[h] = d + (n > begin ? dbias[h] : 0.f);
    }
    const float2 sums = team_sum<kNormThreads>(sum_g, sum_gx);
    const float mean_g = sums.x / float(hidden), mean_gx = sums.y / float(hidden);
    for (uint32_t h = threadIdx.x; h < hidden; h += kNormThreads) {
      const auto load = row.template load<1>(key, n, h);
      const float g = row.template gradient<1>(site, n, h, load)[0] * weight[h], hat = (row.template value<1>(load)[0] - m) * r;
      float dx[1] = {r * (g - mean_g - hat * mean_gx)};
      row.template store<1>(site, n, h, dx);
    }
  }
}

// dweight and dbias gain the sums of their partials. A block has 32 of the 2 hidden columns, warp w of it every 32nd
// block of rows from w on; warps are added in order.
constexpr uint32_t kPartialThreads = 1024;

__global__ void __launch_bounds__(kPartialThreads)
add_norm_partials(const float* __restrict__ partial, float* __restrict__ dweight, float* __restrict__ dbias,
                  Param<uint32_t> row_count, uint32_t hidden) {
  struct Shared {
    float of_warp[kPartialThreads / kWarp][kWarp];
  };
  Shared& s = shared_as<Shared>();
  constexpr uint32_t kWarps = kPartialThreads / kWarp;
  const uint32_t rows = row_count(), blocks = ceil_div(rows, norm_block(rows));
  const uint32_t column = blockIdx.x * kWarp + lane(), columns = 2 * hidden;
  float sum = 0;
  if (column < columns) {
#pragma unroll 8
    for (uint32_t k = warp(); k < blocks; k += kWarps) sum += partial[size_t(k) * columns + column];
  }
  s.of_warp[warp()][lane()] = sum;
  __syncthreads();
  if (warp() > 0 || column >= columns) return;
  float total = 0;
#pragma unroll
  for (uint32_t w = 0; w < kWarps; w++) total += s.of_warp[w][lane()];
  float* to = column < hidden ? dweight + column : dbias + (column - hidden);
  *to += total;
}

// ---------------------------------------------------------------- host

// Calls f(RowForm) with the smallest form that holds a row of `hidden` in chunks of N, or returns false. Backward has twice
// the row and its part of two sums in registers: so that two blocks fit a multiprocessor, more threads share a row there.
template <uint32_t N, bool kBackward, class F>
bool with_row_form(uint32_t hidden, F f) {
  constexpr bool floats = N == 4;
  if (hidden <= 128)
    f(RowForm<kBackward ? 16 : 8, (kBackward ? 8 : 16) / N, N>());
  else if (hidden <= 384 && floats)
    f(RowForm<32, 3, N>());
  else if (hidden <= 768)
    f(RowForm<kBackward && floats ? 64 : 32, kBackward || !floats ? 3 : 6, N>());
  else if (hidden <= 1024)
    f(RowForm<(kBackward ? 2 : 1) * (floats ? 64 : 32), kBackward ? 2 : 4, N>());
  else if (hidden <= 4096)
    f(RowForm<256, 16 / N, N>());
  else
    return false;
  return true;
}

// `wide`: every row of every buffer begins at a multiple of 16 bytes and N divides `hidden`.
template <uint32_t N, class Row>
void record_norm_forward(Launch& launch, bool wide, const Row& row, Buffer<const float> weight, Buffer<const float> bias,
                         Buffer<float> mean, Buffer<float> rstd, Param<uint32_t> rows, Param<uint32_t> hidden, Param<float> eps) {
  const auto record = [&](auto kernel, uint32_t teams, size_t shared) {
    // a multiple of the two to eight blocks that fit a multiprocessor: all its turns are full ones
    launch(kernel, blocks_for(launch, mean.size, teams, 24), kNormThreads, shared, row, weight.data, bias.data, mean.data,
           rstd.data, rows, hidden.most, eps);
  };
  const auto in_registers = [&](auto form) {
    using Form = decltype(form);
    record(norm_forward<Form, Row>, Form::teams, Form::lanes > kWarp ? sizeof(TeamSums) : 0);
  };
  if (wide && with_row_form<N, false>(hidden.most, in_registers)) return;
  if (hidden.most <= 1024)
    record(norm_forward_any<kWarp, Row>, kNormThreads / kWarp, 0);
  else
    record(norm_forward_any<kNormThreads, Row>, 1, sizeof(TeamSums));
}

template <uint32_t N, class Row>
void record_norm_backward(Launch& launch, bool wide, const Row& row, Buffer<const float> weight, Buffer<const float> mean,
                          Buffer<const float> rstd, Buffer<float> dweight, Buffer<float> dbias, Buffer<float> partial,
                          Param<uint32_t> rows, Param<uint32_t> hidden) {
  const uint32_t capacity = uint32_t(mean.size), large = ceil_div(capacity, kNormBlock);
  const uint32_t least = ceil_div(capacity, kSmallNormBlock), small = least < kSmallBatch ? least : kSmallBatch;
  const uint32_t blocks = small < large ? large : small;
  const size_t sums = size_t(blocks) * 2 * hidden.most;
  float* parts = sums <= partial.size ? partial.data : launch.scratch<float>(sums);
  const auto record = [&](auto kernel, size_t shared) {
    launch(kernel, blocks, kNormThreads, shared, row, weight.data, mean.data, rstd.data, parts, rows, hidden.most);
  };
  const auto in_registers = [&](auto form) {
    using Form = decltype(form);
    record(norm_backward<Form, Row>, norm_shared<Form>());
  };
  if (!wide || !with_row_form<N, true>(hidden.most, in_registers)) record(norm_backward_any<Row>, sizeof(TeamSums));
  launch(add_norm_partials, ceil_div(2 * hidden.most, kWarp), kPartialThreads, kPartialThreads * sizeof(float), parts, dweight.data,
         dbias.data, rows, hidden.most);
}

}  // namespace
