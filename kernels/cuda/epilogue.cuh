// What becomes of the sums of a product: functors that every product calls, however its accumulators lie.
//
//   struct Epilogue {
//     template <uint32_t kN> __device__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const;
//     bool wide() const;  // on the host
//   };
//
// A call has kN neighbouring sums of one row, kN of 1, 2, 4 or 8; all lie within the result: who calls has compared row and
// column with the sizes. kN above 1 only if wide() holds (rows and pointers are multiples of 16 bytes) and kN divides
// `column`; then every access is one of kN elements. 8 gives the widest stores of both types.
#pragma once
#include "gelu.cuh"

namespace {

// ---------------------------------------------------------------- runs of elements

template <uint32_t kN>
__device__ __forceinline__ void load_run(const float* p, float (&v)[kN]) {
  if constexpr (kN == 1) {
    v[0] = *p;
  } else if constexpr (kN == 2) {
    const float2 w = *reinterpret_cast<const float2*>(p);
    v[0] = w.x, v[1] = w.y;
  } else {
#pragma unroll
    for (uint32_t i = 0; i < kN; i += 4) {
      const float4 w = *reinterpret_cast<const float4*>(p + i);
      v[i] = w.x, v[i + 1] = w.y, v[i + 2] = w.z, v[i + 3] = w.w;
    }
  }
}

template <uint32_t kN>
__device__ __forceinline__ void load_run(const bf16* p, float (&v)[kN]) {
  if constexpr (kN == 1) {
    v[0] = to_float(*p);
  } else if constexpr (kN == 2) {
    const uint32_t w = *reinterpret_cast<const uint32_t*>(p);
    v[0] = low_bf16(w), v[1] = high_bf16(w);
  } else if constexpr (kN == 4) {
    const uint2 w = *reinterpret_cast<const uint2*>(p);
    v[0] = low_bf16(w.x), v[1] = high_bf16(w.x), v[2] = low_bf16(w.y), v[3] = high_bf16(w.y);
  } else {
    const uint4 w = *reinterpret_cast<const uint4*>(p);
    v[0] = low_bf16(w.x), v[1] = high_bf16(w.x), v[2] = low_bf16(w.y), v[3] = high_bf16(w.y);
    v[4] = low_bf16(w.z), v[5] = high_bf16(w.z), v[6] = low_bf16(w.w), v[7] = high_bf16(w.w);
  }
}

template <uint32_t kN>
__device__ __forceinline__ void store_run(float* p, const float (&v)[kN]) {
  if constexpr (kN == 1) {
    *p = v[0];
  } else if constexpr (kN == 2) {
    *reinterpret_cast<float2*>(p) = make_float2(v[0], v[1]);
  } else {
#pragma unroll
    for (uint32_t i = 0; i < kN; i += 4) *reinterpret_cast<float4*>(p + i) = make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]);
  }
}

template <uint32_t kN>
__device__ __forceinline__ void store_run(bf16* p, const float (&v)[kN]) {
  if constexpr (kN == 1) {
    *p = from_float<bf16>(v[0]);
  } else if constexpr (kN == 2) {
    *reinterpret_cast<uint32_t*>(p) = pack_bf16(v[0], v[1]);
  } else if constexpr (kN == 4) {
    *reinterpret_cast<uint2*>(p) = make_uint2(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]));
  } else {
    *reinterpret_cast<uint4*>(p) =
        make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7]));
  }
}

inline bool aligned_16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// ---------------------------------------------------------------- epilogues

// y = sums
template <class T>
struct Store {
  T* y;
  uint32_t pitch;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    store_run<kN>(y + size_t(row) * pitch + column, sums);
  }
  bool wide() const { return pitch % 8 == 0 && aligned_16(y); }
};

// y += sums, for gradients of parameters
struct Accumulate {
  float* y;
  uint32_t pitch;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    float* p = y + size_t(row) * pitch + column;
    float v[kN];
    load_run<kN>(p, v);
#pragma unroll
    for (uint32_t i = 0; i < kN; i++) v[i] += sums[i];
    store_run<kN>(p, v);
  }
  bool wide() const { return pitch % 8 == 0 && aligned_16(y); }
};

// y = sums + bias
template <class T>
struct AddBias {
  T* y;
  const float* bias;
  uint32_t pitch;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    float v[kN];
    load_run<kN>(bias + column, v);
#pragma unroll
    for (uint32_t i = 0; i < kN; i++) v[i] += sums[i];
    store_run<kN>(y + size_t(row) * pitch + column, v);
  }
  bool wide() const { return pitch % 8 == 0 && aligned_16(y) && aligned_16(bias); }
};

// z = sums + bias, y = gelu(z); z is written if `save`. Values that are stored as bf16 take the fast forms of GELU.
template <class T>
struct AddBiasGelu {
  T* y;
  T* z;
  const float* bias;
  uint32_t pitch;
  GeluForm form;
  bool save;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    float v[kN];
    load_run<kN>(bias + column, v);
#pragma unroll
    for (uint32_t i = 0; i < kN; i++) v[i] += sums[i];
    const size_t at = size_t(row) * pitch + column;
    if (save) store_run<kN>(z + at, v);
    if (form == kErfForm) {
#pragma unroll
      for (uint32_t i = 0; i < kN; i++) v[i] = gelu<kErfForm, sizeof(T) == 2>(v[i]);
    } else {
#pragma unroll
      for (uint32_t i = 0; i < kN; i++) v[i] = gelu<kTanhForm, sizeof(T) == 2>(v[i]);
    }
    store_run<kN>(y + at, v);
  }
  bool wide() const { return pitch % 8 == 0 && aligned_16(y) && aligned_16(bias) && (!save || aligned_16(z)); }
};

// The order of JOINS in src/ops/linear.ts.
enum Join : uint32_t { kJoinAdd, kJoinGeluTanh, kJoinGeluErf };

// y = sums + other, or sums times the derivative of GELU at other.
template <class T>
struct Joined {
  T* y;
  const T* other;
  uint32_t pitch;
  Join join;
  template <uint32_t kN>
  __device__ __forceinline__ void operator()(uint32_t row, uint32_t column, const float (&sums)[kN]) const {
    const size_t at = size_t(row) * pitch + column;
    float v[kN];
    load_run<kN>(other + at, v);
    if (join == kJoinAdd) {
#pragma unroll
      for (uint32_t i = 0; i < kN; i++) v[i] += sums[i];
    } else if (join == kJoinGeluErf) {
#pragma unroll
      for (uint32_t i = 0; i < kN; i++) v[i] = sums[i] * gelu_derivative<kErfForm, sizeof(T) == 2>(v[i]);
    } else {
#pragma unroll
      for (uint32_t i = 0; i < kN; i++) v[i] = sums[i] * gelu_derivative<kTanhForm, sizeof(T) == 2>(v[i]);
    }
    store_run<kN>(y + at, v);
  }
  bool wide() const { return pitch % 8 == 0 && aligned_16(y) && aligned_16(other); }
};

}  // namespace
