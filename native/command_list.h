// A prepared program: kernel calls with their buffer addresses and parameters, ready to be executed by all threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "registry.h"
#include "team.h"

struct BufferRef {
  char* base;         // arena + offset
  uint64_t bytes;
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

// All memory in which buffers lie.
struct ArenaRange {
  char* data;
  size_t bytes;
};

struct Loop {
  uint32_t count;  // a plain call is a loop of one
  bool reverse;
  std::vector<KernelCall> body;
};

// The clock of one thread before and after an execution of a call, nanoseconds.
struct Reading {
  double start, end;
};

struct Event {
  uint32_t call, iteration;
  double start, duration;  // nanoseconds from the start of the run
};

struct CommandList {
  std::vector<Loop> loops;
  std::vector<ArenaRange> arenas;
  std::vector<bool> scalar_is_float;

  // How many executions a run has.
  size_t executions() const;

  // Called by every thread of a pool at once. `readings`, if it is given, is the thread's own room for all executions: a
  // thread reads the clock twice for each and does nothing else for it.
  void execute(Team& team, const std::vector<Word>& scalars, Reading* readings) const;

  // What all threads read, one row of executions after the other, as events of a run that began at `begin`. An
  // execution starts when the first thread starts it and ends when the first thread leaves it, which none does before
  // all have done their part: a thread that is late to notice lengthens nothing, and events do not overlap.
  std::vector<Event> timeline(const std::vector<Reading>& readings, unsigned threads, double begin) const;
};

// Steady clock, nanoseconds.
double clock_ns();
