// The threads that execute one kernel together.
//
// Every thread of the pool calls the same kernel with its own Team. Work is cut into tasks whose number and bounds
// follow from the shapes alone, never from the number of threads: threads only decide who computes a task, so every
// result has the same bits on 1, 2 or N threads. `each` (kernel.h) is the one loop: claim tasks until none is left,
// then wait for the others, so that what a phase wrote is visible to the next. Behind its last phase a kernel must read no
// buffer: threads that are ahead may be in the next kernel, which writes what it likes.
//
// Defined in native/pool.cc, which is compiled without instruction set flags.
#pragma once
#include <stddef.h>
#include <stdint.h>

class Pool;

class Team {
 public:
  Team(Pool& pool, uint32_t rank) : pool_(pool), rank_(rank) {}

  // Index of a task of the current phase that nobody else has; at least `n` when all n are taken.
  uint32_t claim();

  // Ends the phase: returns when every thread has come here.
  void join();

  uint32_t rank() const { return rank_; }

  // Working memory, 64-byte aligned, contents undefined: this thread's own, and one for all threads.
  float* scratch();
  float* shared();

  static constexpr size_t kScratchFloats = size_t(512) * 1024;  // 2 MiB a thread
  static constexpr size_t kSharedFloats = size_t(2048) * 1024;  // 8 MiB for all

 private:
  Pool& pool_;
  uint32_t rank_;
};
