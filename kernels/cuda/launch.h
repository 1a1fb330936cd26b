// The host's side of a CUDA kernel file: what an entry point is given and how it records launches.
//
// An entry point is a plain host function that has the arguments of the op's declaration in src/ops, in its order:
//     void op_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> rows, Param<float> eps)
// It runs once, when a program is prepared, and records one or more launches, which then run with every step, in order,
// each seeing all that those before it wrote. So whatever changes from run to run reaches a kernel through device memory:
// grids are made for the largest sizes, and a kernel asks `rows()` how many there are in this run.
//
// It may be called more than once for one call of a program (see Launch in record.h), and must record the same each time.
//
// A file ends with EXPORT_KERNELS(op, KERNEL(op_forward), KERNELS(op_backward)); KERNELS exports a template over the type in
// which activations are stored, `template <class T> void op_backward(Launch& launch, Buffer<const T> x, ...)`, as
// op_backward (float) and op_backward_bf16. native/cuda finds the table by the name of the file.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <utility>

#include "bf16.cuh"
#include "language.cuh"
#include "record.h"

// What one range of device memory is to a kernel. `size` counts elements of the range at capacity.
template <class T>
struct Buffer {
  T* data;
  size_t size;
};

// A four-byte parameter: a constant, or a word that every run sets anew. `most` is the constant, or the largest value
// of a size (2^32 - 1 where nobody knows it, 0 for a float).
template <class T>
struct Param {
  const T* at;
  T most;
  __host__ __device__ bool is_constant() const { return at == nullptr; }
  // The value in this run. Read it once, into a local variable.
  __device__ T operator()() const { return at ? *at : most; }
};

// Blocks that a grid-stride loop over n items wants, `per_block` items in each turn of a block; never so many that blocks
// would queue up, never none.
inline uint32_t blocks_for(const Launch& launch, uint64_t n, uint32_t per_block, uint32_t per_multiprocessor = 8) {
  const uint64_t wanted = (n + per_block - 1) / per_block;
  const uint64_t most = uint64_t(launch.chip().multiprocessors) * per_multiprocessor;
  return uint32_t(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

__host__ __device__ inline uint32_t ceil_div(uint32_t a, uint32_t b) { return a / b + (a % b != 0); }

// ---------------------------------------------------------------- the table

namespace {

template <class T>
struct Take;
template <class T>
struct Take<Buffer<T>> {
  static constexpr uint32_t buffers = 1;
  static Buffer<T> get(const BufferArg* b, const ParamArg*) { return {static_cast<T*>(b->data), b->bytes / sizeof(T)}; }
};
template <class T>
struct Take<Param<T>> {
  static constexpr uint32_t buffers = 0;
  static Param<T> get(const BufferArg*, const ParamArg* p) {
    Param<T> value{static_cast<const T*>(p->at), T()};
    memcpy(&value.most, &p->most, 4);
    return value;
  }
};

template <class F>
struct Adapter;
template <class... Args>
struct Adapter<void (*)(Launch&, Args...)> {
  static constexpr uint32_t buffers = (Take<Args>::buffers + ... + 0u);
  static constexpr uint32_t params = uint32_t(sizeof...(Args)) - buffers;
  template <void (*F)(Launch&, Args...)>
  static void record(Launch& launch, const BufferArg* b, const ParamArg* p) {
    call<F>(launch, b, p, std::make_index_sequence<sizeof...(Args)>());
  }
  template <void (*F)(Launch&, Args...), size_t... I>
  static void call(Launch& launch, const BufferArg* b, const ParamArg* p, std::index_sequence<I...>) {
    F(launch, Take<Args>::get(b + I, p + (I < buffers ? 0 : I - buffers))...);  // buffers come first
  }
};

}  // namespace

#define BIOALBERT_KERNEL(name, f) \
  { name, &Adapter<decltype(&f)>::template record<&f>, Adapter<decltype(&f)>::buffers, Adapter<decltype(&f)>::params }
#define KERNEL(f) BIOALBERT_KERNEL(#f, f)
#define KERNELS(f) BIOALBERT_KERNEL(#f, f<float>), BIOALBERT_KERNEL(#f "_bf16", f<bf16>)
#define EXPORT_KERNELS(stem, ...)              \
  extern const KernelEntry kernels_##stem[];   \
  const KernelEntry kernels_##stem[] = {__VA_ARGS__, {nullptr, nullptr, 0, 0}};
