// What every CPU kernel file includes: the vector type of its instruction set, the task loop, and the table through
// which native/registry.cc finds its entry points.
//
// A kernel is a plain function in an anonymous namespace:
//     void op_forward(Team& team, const float* x, float* y, uint32_t rows, float eps)
// buffers first (const = read), then four-byte parameters, in the order of the op's declaration in src/ops. A file
// ends with EXPORT_KERNELS(op, KERNEL(op_forward), KERNEL(op_backward)). A template over the type in which activations
// are stored, `template <class T> void op_forward(Team& team, const T* x, ...)`, is exported by KERNELS(op_forward) as
// op_forward (float) and op_forward_bf16.
//
// The same file is compiled once per instruction set. Nothing here may have external linkage but the table: a
// function compiled for AVX-512 must never be the copy that the linker keeps for all. So: anonymous namespaces, no
// templates of the standard library, and tables that are constants (no code runs at load).
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bf16.h"
#include "entry.h"
#include "team.h"

namespace {

// AddressSanitizer does not see masked loads and stores; built with it, they touch their lanes one by one first.
#if defined(__SANITIZE_ADDRESS__)
inline void touch(const float* p, uint32_t n, uint32_t width) {
  for (uint32_t i = 0; i < n && i < width; i++) (void)*static_cast<const volatile float*>(p + i);
}
#else
inline void touch(const float*, uint32_t, uint32_t) {}
#endif

}  // namespace

#if defined(BIOALBERT_AVX512)
#include "simd/avx512.h"
#elif defined(BIOALBERT_ISA_AVX2)
#include "simd/avx2.h"
#elif defined(BIOALBERT_NEON)
#include "simd/neon.h"
#else
#include "simd/generic.h"
#endif
#include "simd/math.h"

namespace {

template <class T>
struct Take;  // how an argument is read: a pointer from the buffers, a word from the parameters
template <class T>
struct Take<T*> {
  static constexpr uint32_t buffers = 1;
  static T* get(void* const* b, const Word*) { return static_cast<T*>(*b); }
};
template <>
struct Take<uint32_t> {
  static constexpr uint32_t buffers = 0;
  static uint32_t get(void* const*, const Word* p) { return p->u; }
};
template <>
struct Take<int32_t> {
  static constexpr uint32_t buffers = 0;
  static int32_t get(void* const*, const Word* p) { return p->i; }
};
template <>
struct Take<float> {
  static constexpr uint32_t buffers = 0;
  static float get(void* const*, const Word* p) { return p->f; }
};

template <uint32_t... I>
struct Indices {};
template <uint32_t N, uint32_t... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <uint32_t... I>
struct MakeIndices<0, I...> {
  using type = Indices<I...>;
};

template <class F>
struct Adapter;
template <class... Args>
struct Adapter<void (*)(Team&, Args...)> {
  static constexpr uint32_t buffers = (Take<Args>::buffers + ... + 0u);
  static constexpr uint32_t params = uint32_t(sizeof...(Args)) - buffers;
  template <void (*F)(Team&, Args...)>
  static void run(Team& team, void* const* b, const Word* p) {
    call<F>(team, b, p, typename MakeIndices<sizeof...(Args)>::type());
  }
  template <void (*F)(Team&, Args...), uint32_t... I>
  static void call(Team& team, void* const* b, const Word* p, Indices<I...>) {
    F(team, Take<Args>::get(b + I, p + (I - buffers))...);  // buffers come first, so a parameter's index is I - buffers
  }
};

// Calls f(i) for every i in [0, n), on whichever thread comes first, and waits until all are done.
template <class F>
inline void each(Team& team, uint32_t n, F f) {
  for (uint32_t i = team.claim(); i < n; i = team.claim()) f(i);
  team.join();
}

// Cuts [0, n) into tasks of `size` and calls f(begin, end) for each.
template <class F>
inline void each_range(Team& team, uint32_t n, uint32_t size, F f) {
  each(team, (n + size - 1) / size, [&](uint32_t t) {
    const uint32_t begin = t * size;
    f(begin, n - begin < size ? n : begin + size);
  });
}

}  // namespace

#define BIOALBERT_CAT2(a, b) a##b
#define BIOALBERT_CAT(a, b) BIOALBERT_CAT2(a, b)
#define BIOALBERT_KERNEL(name, f) \
  { name, &Adapter<decltype(&f)>::run<&f>, Adapter<decltype(&f)>::buffers, Adapter<decltype(&f)>::params }
#define KERNEL(f) BIOALBERT_KERNEL(#f, f)
#define KERNELS(f) BIOALBERT_KERNEL(#f, f<float>), BIOALBERT_KERNEL(#f "_bf16", f<bf16>)
#define EXPORT_KERNELS(stem, ...)                                                         \
  extern const KernelEntry BIOALBERT_CAT(kernels_##stem##_, BIOALBERT_ISA_NAME)[];        \
  const KernelEntry BIOALBERT_CAT(kernels_##stem##_, BIOALBERT_ISA_NAME)[] = {__VA_ARGS__, {nullptr, nullptr, 0, 0}};
