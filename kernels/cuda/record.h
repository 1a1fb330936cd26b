// How launches are recorded: what the device (native/cuda) and the kernel files (launch.h) share. Plain C++, no words of
// the CUDA language, so that every file of the addon can include it.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

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

// ---------------------------------------------------------------- tiles for the copy engine (TMA, sm_90)

// How 16-byte chunks of a tile lie in shared memory: rows of 32, 64 or 128 bytes, chunks exchanged within a repeat of
// eight rows (PTX ISA, swizzling modes). The inner extent of the box then is at most that many bytes.
enum class Swizzle : uint32_t { none, b32, b64, b128 };

// A tiled tensor in device memory; dimension 0 is the inner one. Elements outside count as zero when they are read and
// are not written.
struct TensorLayout {
  const void* at;       // a multiple of 16
  uint32_t rank;        // 2 or 3
  bool is_float;        // f32, else bf16
  uint64_t size[3];     // elements
  uint64_t stride[2];   // bytes from one element to the next along dimensions 1 and 2, multiples of 16
  uint32_t box[3];      // elements of a tile, at most 256 each; 16 bytes or a multiple along dimension 0
  Swizzle swizzle;
};

// A kernel's parameter `const __grid_constant__ TensorMap map`. On a GPU its words are the driver's, emulated they are
// a TensorLayout.
struct alignas(128) TensorMap {
  uint64_t words[16];
};

// native/cuda/tensor_map.cc. Throws std::invalid_argument with what is wrong with the layout.
TensorMap make_tensor_map(const TensorLayout& layout);

// ---------------------------------------------------------------- launches

// A launch as it is kept: arguments by value in `storage`, each at one of `offsets`.
struct Recorded {
  struct alignas(128) Line {
    char bytes[128];
  };

  const void* function;
  void (*invoke)(void* const* arguments);  // calls the kernel as a C++ function; only the emulator does
  Grid grid;
  uint32_t threads;
  size_t shared;
  std::vector<Line> storage;
  std::vector<size_t> offsets;

  // The address of each argument; good as long as this is neither changed nor moved.
  std::vector<void*> arguments() {
    std::vector<void*> found;
    for (const size_t at : offsets) found.push_back(storage.data()->bytes + at);
    return found;
  }

  template <class T>
  void keep(const T& value) {
    static_assert(std::is_trivially_copyable<T>::value, "arguments of kernels are copied byte by byte");
    static_assert(alignof(T) <= 128, "no argument has a larger alignment");
    const size_t at = (end_ + alignof(T) - 1) / alignof(T) * alignof(T);
    end_ = at + sizeof(T);
    storage.resize((end_ + sizeof(Line) - 1) / sizeof(Line));
    memcpy(storage.data()->bytes + at, &value, sizeof(T));
    offsets.push_back(at);
  }

 private:
  size_t end_ = 0;

 public:
  Recorded(const void* function, void (*invoke)(void* const*), Grid grid, uint32_t threads, size_t shared)
      : function(function), invoke(invoke), grid(grid), threads(threads), shared(shared) {}
};

class Launch {
 public:
  // An entry point is called twice: without scratch memory, to learn how much it wants, and with it.
  Launch(const Chip& chip, void* scratch) : chip_(chip), scratch_(static_cast<char*>(scratch)) {}

  const Chip& chip() const { return chip_; }

  // Records kernel<<<grid, threads, shared bytes>>>(args...).
  template <class... P, class... A>
  void operator()(void (*kernel)(P...), Grid grid, uint32_t threads, size_t shared, A... args) {
    static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the kernel has parameters");
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    Recorded r(reinterpret_cast<const void*>(kernel), nullptr, grid, threads, shared);
#if !defined(__CUDACC__)
    r.invoke = invoker<P...>(kernel);
    r.keep(kernel);
#endif
    (r.keep(P(args)), ...);
    recorded.push_back(std::move(r));
  }

  // Device memory for the launches of this entry point alone, 256-byte aligned; contents mean nothing at the start.
  template <class T>
  T* scratch(size_t count) {
    T* at = reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(scratch_) + used_);
    used_ += (count * sizeof(T) + 255) / 256 * 256;
    return at;
  }
  size_t scratch_bytes() const { return used_; }

  // Tiles of a tensor of f32 or bf16: sizes and box in elements, the inner dimension first, strides in elements without
  // the inner one, which is 1:
  //     launch.tensor_map(x.data, {columns, rows}, {columns}, {64, 128}, Swizzle::b128)
  template <class T, size_t R>
  TensorMap tensor_map(const T* at, const uint64_t (&size)[R], const uint64_t (&stride)[R - 1], const uint32_t (&box)[R],
                       Swizzle swizzle) const {
    static_assert(R == 2 || R == 3, "two or three dimensions");
    static_assert(std::is_same<T, float>::value || sizeof(T) == 2, "f32 or bf16");
    if (!scratch_) return {};  // the address may be one of scratch memory that is not there yet
    TensorLayout layout{at, R, std::is_same<T, float>::value, {1, 1, 1}, {0, 0}, {1, 1, 1}, swizzle};
    for (size_t i = 0; i < R; i++) {
      layout.size[i] = size[i];
      layout.box[i] = box[i];
      if (i > 0) layout.stride[i - 1] = stride[i - 1] * sizeof(T);
    }
    return make_tensor_map(layout);
  }

  std::vector<Recorded> recorded;

 private:
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

// ---------------------------------------------------------------- the table

struct BufferArg {
  void* data;
  size_t bytes;
};

struct ParamArg {
  const void* at;  // null: a constant
  uint32_t most;   // bits
};

struct KernelEntry {
  const char* name;
  void (*record)(Launch&, const BufferArg*, const ParamArg*);
  uint32_t buffers, params;
};
