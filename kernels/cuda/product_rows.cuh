// How sums in the registers of wgmma become rows in memory, for the epilogues of epilogue.cuh.
//
// Of its 16 rows x kN columns of f32 a lane has pairs of neighbours: 8 bytes. Results of f32 go straight from there: four
// lanes fill a sector of 32 bytes. Results of bf16 would fill half sectors; they are finished in registers (`Rows`), laid
// down by stmatrix in 16 rows of 128 bytes that belong to the warp, whose 16-byte chunks are exchanged by row so that neither
// side meets a bank twice, and go on as whole lines, four rows an instruction. What they are joined with comes the same way
// backwards. Only lanes of one warp meet.
#pragma once
#include "epilogue.cuh"
#include "product_split.cuh"
#include "wgmma.cuh"

namespace {

constexpr uint32_t kRowsOfWarp = 16, kColumnsOfRun = 64;

// One buffer for the result and one for what is saved or joined, or two that take turns.
struct RowsShared {
  bf16 runs[2][kRowsOfWarp * kColumnsOfRun];
};

// What an epilogue does with eight sums v of a lane: rows g and g + 8 of columns c and c + 1, then of c + 8 and c + 9 (g, c as in
// wgmma.cuh): `before` makes of them what is saved, `after` the result. kSaves: there is a second result, if saves(e). kJoins:
// join(e, v, others) instead, with as many of e.other.
template <class Epilogue>
struct Rows {
  static constexpr bool kStaged = false, kSaves = false, kJoins = false;
};

struct PlainRows {
  static constexpr bool kStaged = true, kSaves = false, kJoins = false;
  template <class E>
  __device__ __forceinline__ static void before(const E&, const float*, int32_t, float (&)[8]) {}
  template <class E>
  __device__ __forceinline__ static const float* bias(const E&) {
    return nullptr;
  }
  template <class E>
  __device__ __forceinline__ static void after(const E&, float (&)[8]) {}
  template <class E>
  __device__ __forceinline__ static bool saves(const E&) {
    return false;
  }
  template <class E>
  __device__ __forceinline__ static bf16* saved(const E&) {
    return nullptr;
  }
  template <class E>
  __device__ __forceinline__ static const bf16* other(const E&) {
    return nullptr;
  }
};

struct BiasedRows : PlainRows {
  template <class E>
  __device__ __forceinline__ static const float* bias(const E& e) {
    return e.bias;
  }
  // `bias` is of the first of v, and `left` columns are there from it on, in eights.
  template <class E>
  __device__ __forceinline__ static void before(const E&, const float* bias, int32_t left, float (&v)[8]) {
#pragma unroll
    for (uint32_t i = 0; i < 8; i += 4) {
      float b[2] = {};
      if (int32_t(2 * i) < left) load_run<2>(bias + 2 * i, b);
      v[i] += b[0], v[i + 1] += b[1], v[i + 2] += b[0], v[i + 3] += b[1];
    }
  }
};

template <>
struct Rows<Store<bf16>> : PlainRows {};
template <>
struct Rows<AddBias<bf16>> : BiasedRows {};
template <>
struct Rows<AddBiasGelu<bf16>> : BiasedRows {
  static constexpr bool kSaves = true;
  __device__ __forceinline__ static bool saves(const AddBiasGelu<bf16>& e) { return e.save; }
  __device__ __forceinline__ static bf16* saved(const AddBiasGelu<bf16>& e) { return e.z; }
  __device__ __forceinline__ static void after(const AddBiasGelu<bf16>& e, float (&v)[8]) {
    if (e.form == kErfForm) {
#pragma unroll
      for (uint32_t i = 0; i < 8; i++) v[i] = gelu<kErfForm, true>(v[i]);
    } else {
#pragma unroll
      for (uint32_t i = 0; i < 8; i++) v[i] = gelu<kTanhForm, true>(v[i]);
    }
  }
};

template <>
struct Rows<Joined<bf16>> : PlainRows {
  static constexpr bool kJoins = true;
  __device__ __forceinline__ static const bf16* other(const Joined<bf16>& e) { return e.other; }
  __device__ __forceinline__ static void join(const Joined<bf16>& e, float (&v)[8], const float (&others)[8]) {
    if (e.join == kJoinAdd) {
#pragma unroll
      for (uint32_t i = 0; i < 8; i++) v[i] += others[i];
    } else if (e.join == kJoinGeluErf) {
#pragma unroll
      for (uint32_t i = 0; i < 8; i++) v[i] *= gelu_derivative<kErfForm, true>(others[i]);
    } else {
#pragma unroll
      for (uint32_t i = 0; i < 8; i++) v[i] *= gelu_derivative<kTanhForm, true>(others[i]);
    }
  }
};

// Where the 16 bytes of chunk (of 8) in row (of 16) of a run lie.
__device__ __forceinline__ bf16* place_in_run(bf16* run, uint32_t row, uint32_t chunk) {
  return run + row * kColumnsOfRun + (chunk ^ row % 8) * 8;
}

// Eight values of a lane, of columns 16 `part` and on in the run.
__device__ __forceinline__ void lay_down(bf16* run, uint32_t part, const float (&v)[8]) {
  uint32_t r[4];
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) r[i] = pack_bf16(v[2 * i], v[2 * i + 1]);
  stmatrix_x4(place_in_run(run, lane() % 16, 2 * part + lane() / 16), r);
}

// A lane's chunks in rows of the result: the one of eight columns in each of four rows. Runs are 64 columns further each.
template <class T>
struct RunLines {
  T* at[4];
  bool there[4];
  uint32_t left;  // columns from the lane's first on
  __device__ __forceinline__ RunLines(T* base, uint32_t pitch, uint32_t row, uint32_t rows, uint32_t column, uint32_t columns) {
    const uint32_t c = column + lane() % 8 * 8;
    left = c < columns ? columns - c : 0;
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) {
      const uint32_t r = row + i * 4 + lane() / 8;
      at[i] = base + size_t(r) * pitch + c;
      there[i] = r < rows;
    }
  }
  __device__ __forceinline__ bool has(uint32_t run, uint32_t i) const { return bool(uint32_t(there[i]) & uint32_t(run * kColumnsOfRun < left)); }
};

__device__ __forceinline__ void send_run(bf16* run, const RunLines<bf16>& to, uint32_t number) {
  uint4 chunks[4];
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) chunks[i] = *reinterpret_cast<const uint4*>(place_in_run(run, i * 4 + lane() / 8, lane() % 8));
#pragma unroll
  for (uint32_t i = 0; i < 4; i++)
    if (to.has(number, i)) *reinterpret_cast<uint4*>(to.at[i] + number * kColumnsOfRun) = chunks[i];
}

// The other way, zeros past the end, and into the run.
__device__ __forceinline__ void fetch_run(uint4 (&chunks)[4], const RunLines<const bf16>& from, uint32_t number) {
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    chunks[i] = make_uint4(0, 0, 0, 0);
    if (from.has(number, i)) chunks[i] = *reinterpret_cast<const uint4*>(from.at[i] + number * kColumnsOfRun);
  }
}
__device__ __forceinline__ void put_run(bf16* run, const uint4 (&chunks)[4]) {
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) *reinterpret_cast<uint4*>(place_in_run(run, i * 4 + lane() / 8, lane() % 8)) = chunks[i];
}
// As lay_down.
__device__ __forceinline__ void pick_up(bf16* run, uint32_t part, float (&v)[8]) {
  uint32_t r[4];
  ldmatrix_x4(r, place_in_run(run, lane() % 16, 2 * part + lane() / 16));
#pragma unroll
  for (uint32_t i = 0; i < 4; i++) v[2 * i] = low_bf16(r[i]), v[2 * i + 1] = high_bf16(r[i]);
}

// Asks for what finish_rows will read of device memory, long before.
template <uint32_t kN, class Epilogue>
__device__ __forceinline__ void announce_rows(const Epilogue& e, uint32_t row, uint32_t rows, uint32_t column, uint32_t columns) {
#if defined(__CUDACC__)
  if constexpr (Rows<Epilogue>::kJoins) {
    const uint32_t r = row + lane() % kRowsOfWarp;
    for (uint32_t i = lane() / kRowsOfWarp * kColumnsOfRun; i < kN; i += 2 * kColumnsOfRun)
      if (r < rows && column + i < columns) asm volatile("prefetch.global.L2 [%0];" ::"l"(e.other + size_t(r) * e.pitch + column + i));
  }
#else
  (void)e, (void)row, (void)rows, (void)column, (void)columns;
#endif
}

// Gives the sums d of a warp's rows [row, row + 16), columns [column, column + kN), to the epilogue. rows and columns are
// the result's sizes; columns a multiple of 8.
template <uint32_t kN, class Epilogue>
__device__ __forceinline__ void finish_rows(float (&d)[kN / 2], RowsShared& s, const Epilogue& e, uint32_t row, uint32_t rows,
                                            uint32_t column, uint32_t columns) {
  const uint32_t pair = 2 * (lane() % 4);
  if constexpr (Rows<Epilogue>::kStaged) {
    using R = Rows<Epilogue>;
    const RunLines<bf16> result_lines(e.y, e.pitch, row, rows, column, columns);
    const RunLines<bf16> saved_lines(R::saved(e), e.pitch, row, rows, column, columns);
    const RunLines<const bf16> other_lines(R::other(e), e.pitch, row, rows, column, columns);
    const float* bias = R::bias(e) + column + pair;
    const int32_t left = int32_t(columns - column);
    uint4 ahead[4];
    if constexpr (R::kJoins) fetch_run(ahead, other_lines, 0);
#pragma unroll
    for (uint32_t run = 0; run < kN / kColumnsOfRun; run++) {
      bf16* result = s.runs[R::kSaves || R::kJoins ? 1 : run % 2];
      if constexpr (R::kJoins) put_run(s.runs[0], ahead);
      if (R::kJoins || (R::kSaves && run > 0)) __syncwarp();  // of the last run, all has been read
      if constexpr (R::kJoins) {
        if (run + 1 < kN / kColumnsOfRun) fetch_run(ahead, other_lines, run + 1);
      }
#pragma unroll
      for (uint32_t part = 0; part < kColumnsOfRun / 16; part++) {
        float v[8];
#pragma unroll
        for (uint32_t i = 0; i < 8; i++) v[i] = d[run * (kColumnsOfRun / 2) + part * 8 + i];
        if constexpr (R::kJoins) {
          float others[8];
          pick_up(s.runs[0], part, others);
          R::join(e, v, others);
        } else {
          const uint32_t from = run * kColumnsOfRun + part * 16;
          R::before(e, bias + from, left - int32_t(from), v);
          if (R::kSaves && R::saves(e)) lay_down(s.runs[0], part, v);
          R::after(e, v);
        }
        lay_down(result, part, v);
      }
      __syncwarp();
      if (R::kSaves && R::saves(e)) send_run(s.runs[0], saved_lines, run);
      send_run(result, result_lines, run);
    }
    __syncwarp();
  } else {
    const uint32_t first = row + lane() / 4;
#pragma unroll
    for (uint32_t half = 0; half < 2; half++) {
      if (first + half * 8 >= rows) continue;
#pragma unroll
      for (uint32_t j = 0; j < kN / 8; j++) {
        const float v[2] = {d[4 * j + 2 * half], d[4 * j + 2 * half + 1]};
        if (column + 8 * j < columns) e(first + half * 8, column + 8 * j + pair, v);
      }
    }
  }
}

}  // namespace
