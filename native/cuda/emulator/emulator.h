// The block emulator: runs CUDA kernels, compiled as C++, on the CPU, and finds what a GPU only shows by luck.
//
// A thread of a block is a fiber. It runs until it meets others: at __syncthreads, a warp's collective, a named barrier, a
// mbarrier. Which thread goes on is drawn from a seed. Blocks of a grid run one after the other, in a drawn order.
//
// Kernel files are compiled with the instrumentation of -fsanitize=thread, whose callbacks (access.cc) are ours, so every
// load and store is seen. Checked are:
// - bounds: shared memory is exactly what the launch asked for; device memory only the ranges that the call binds.
// - shared memory is written before it is read, and not touched while an asynchronous copy into it is under way.
// - races, by happens-before: two accesses to the same two bytes by different threads, one of them a write, must be
//   ordered by a barrier. For device memory also between the blocks of a grid, which nothing orders.
// - collectives: all lanes of a warp meet at the same one; no thread ends while others wait for it.
// What is wrong ends the launch by a Violation that names kernel, block, thread, address and the other thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace emulator {

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Chip {
  int capability;
  uint32_t multiprocessors;
  size_t shared_bytes;
};
// From BIOALBERT_EMULATED_CAPABILITY: 80, or 90 if it is not set.
Chip chip();

struct Range {
  const char* begin;
  size_t bytes;
};

struct Kernel {
  void (*invoke)(void* const* arguments);
  void* const* arguments;
  uint32_t grid[3];
  uint32_t threads;
  size_t shared;
  // Device memory that the launch may touch; all that is allocated if it is null.
  const std::vector<Range>* ranges;
};

// Runs a grid to its end on the calling thread; one at a time in the process. Throws a Violation.
void run(const Kernel& kernel);

// The blocks of a kernel come in clusters of so many, neighbours along x.
void set_cluster(const void* kernel, uint32_t blocks);

// What the order of threads and blocks is drawn from; also BIOALBERT_EMULATED_SEED.
void set_seed(uint64_t seed);

// Device memory: ranges of one region of addresses, 512-byte aligned, not cleared. A null pointer when there is none.
void* allocate(size_t bytes);
void release(void* memory);
size_t allocated();
size_t capacity();

}  // namespace emulator
