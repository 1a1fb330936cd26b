// The host's side of a CUDA kernel file: what an entry point is given and how it records launches.
//
// An entry point is a plain host function that has the arguments of the op's declaration in src/ops, in its order:
//     void op_forward(Launch& launch, Buffer<const float> x, Buffer<float> y, Param<uint32_t> rows, Param<float> eps)
// It runs once, when a program is prepared, and records one or more launches, which then run with every step, in order,
// each seeing all that those before it wrote. So whatever changes from run to run reaches a kernel through device memory:
// grids are made for the largest sizes, and a kernel asks `rows()` how many there are in this run.
//
// A file ends with EXPORT_KERNELS(op, KERNEL(op_forward), KERNELS(op_backward)); KERNELS exports a template over the type in
// which activations are stored, `template <class T> void op_backward(Launch& launch, Buffer<const T> x, ...)`, as
// op_backward (float) and op_backward_bf16. native/cuda finds the table by the name of the file.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "bf16.cuh"
#include "language.cuh"

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

struct Chip {
  std::string name;
  int capability;           // 80, 86, 89, 90, ...
  uint32_t multiprocessors;
  size_t shared_bytes;      // most shared memory of a block, if asked for
  size_t l2_bytes;
};

struct Grid {
  uint32_t x = 1, y = 1, z = 1;
  Grid(uint32_t x, uint32_t y = 1, uint32_t z = 1) : x(x), y(y), z(z) {}
};

// A launch as it is kept: arguments by value in `storage`, `arguments` points at each.
struct Recorded {
  const void* function;
  void (*invoke)(void* const* arguments);  // calls the kernel as a C++ function; only the emulator does
  Grid grid;
  uint32_t threads;
  size_t shared;
  std::vector<char> storage;
  std::vector<size_t> offsets;
};

class Launch {
 public:
  Launch(const Chip& chip, void* scratch) : chip_(chip), scratch_(static_cast<char*>(scratch)) {}

  const Chip& chip() const { return chip_; }

  // Records kernel<<<grid, threads, shared bytes>>>(args...).
  template <class... P, class... A>
  void operator()(void (*kernel)(P...), Grid grid, uint32_t threads, size_t shared, A... args) {
    static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the kernel has parameters");
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    Recorded r{reinterpret_cast<const void*>(kernel), nullptr, grid, threads, shared, {}, {}};
#if !defined(__CUDACC__)
    r.invoke = invoker<P...>(kernel);
    keep(r, kernel);
#endif
    (keep(r, P(args)), ...);
    recorded.push_back(std::move(r));
  }

  // Device memory for the launches of this entry point alone, 256-byte aligned; contents mean nothing at the start.
  template <class T>
  T* scratch(size_t count) {
    T* at = reinterpret_cast<T*>(scratch_ + used_);
    used_ += (count * sizeof(T) + 255) / 256 * 256;
    return at;
  }
  size_t scratch_bytes() const { return used_; }

  std::vector<Recorded> recorded;

 private:
  template <class T>
  static void keep(Recorded& r, const T& value) {
    size_t at = (r.storage.size() + alignof(T) - 1) / alignof(T) * alignof(T);
    r.storage.resize(at + sizeof(T));
    memcpy(r.storage.data() + at, &value, sizeof(T));
    r.offsets.push_back(at);
  }

  // The emulator calls a kernel through its pointer, which it finds in front of the arguments.
  template <class... P>
  static void (*invoker(void (*)(P...)))(void* const*) {
    return [](void* const* a) { spread<P...>(a, std::index_sequence_for<P...>()); };
  }
  template <class... P, size_t... I>
  static void spread(void* const* a, std::index_sequence<I...>) {
    (*static_cast<void (**)(P...)>(a[0]))(*static_cast<P*>(a[I + 1])...);
  }

  const Chip& chip_;
  char* scratch_;
  size_t used_ = 0;
};

// Blocks that a grid-stride loop over n items wants, `per_block` items in each turn of a block; never so many that blocks
// would queue up, never none.
inline uint32_t blocks_for(const Launch& launch, uint64_t n, uint32_t per_block, uint32_t per_multiprocessor = 8) {
  const uint64_t wanted = (n + per_block - 1) / per_block;
  const uint64_t most = uint64_t(launch.chip().multiprocessors) * per_multiprocessor;
  return uint32_t(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

inline uint32_t ceil_div(uint32_t a, uint32_t b) { return a / b + (a % b != 0); }

// ---------------------------------------------------------------- the table

struct BufferArg {
  void* data;
  size_t bytes;
};

struct ParamArg {
  const void* at;
  uint32_t most;  // bits
};

struct KernelEntry {
  const char* name;
  void (*record)(Launch&, const BufferArg*, const ParamArg*);
  uint32_t buffers, params;
};

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
    F(launch, Take<Args>::get(b + I, p + (I - buffers))...);  // buffers come first
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
