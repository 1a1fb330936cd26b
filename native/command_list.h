// A prepared program: kernel calls with their buffer addresses and parameters, ready to be executed by all threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "registry.h"
#include "team.h"

struct BufferRef {
  char* base;         // arena + offset
  uint64_t stride;    // bytes from one iteration of the repeat to the next
  uint32_t shift, modulo;
};

struct ParamRef {
  int32_t scalar;  // -1: a constant; 0: the iteration; k: run-time scalar k - 1
  bool is_float;
  double times;    // the constant itself, or the factor of the scalar
};

struct KernelCall {
  const KernelEntry* kernel;
  std::vector<BufferRef> refs;
  std::vector<ParamRef> params;
};

struct Loop {
  uint32_t count;  // a plain call is a loop of one
  bool reverse;
  std::vector<KernelCall> body;
};

struct Event {
  uint32_t call, iteration;
  double start, duration;  // nanoseconds
};

struct CommandList {
  std::vector<Loop> loops;
  std::vector<bool> scalar_is_float;

  // How many executions a run has: the events that it records.
  size_t executions() const;

  // Called by every thread of a pool at once. `events`, if it is given, has room for all executions and is filled by
  // rank 0, which reads the clock twice for each and does nothing else for it.
  void execute(Team& team, const std::vector<Word>& scalars, Event* events) const;
};
