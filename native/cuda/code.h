// A program as numbers, the way src/device/cuda_addon.ts writes it: loops of (count, reverse, calls, then each call), a
// call being (kernel, ranges, (arena, offset, bytes, stride, shift, modulo) for each, parameters, (scalar, is float, times,
// capacity) for each). A scalar is -1 for a constant, which `times` then is, 0 for the iteration, k for the k-th run-time
// scalar; a capacity is the largest value of a size, 0 where nobody knows it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "record.h"

struct RefCode {
  uint32_t arena;
  uint64_t offset, bytes, stride;
  uint32_t shift, modulo;
};

struct ParamCode {
  int32_t scalar;
  bool is_float;
  double times, capacity;
};

struct CallCode {
  const KernelEntry* kernel;
  std::vector<RefCode> refs;
  std::vector<ParamCode> params;
};

struct LoopCode {
  uint32_t count;  // a plain call is a loop of one
  bool reverse;
  std::vector<CallCode> body;
};

// Throws by the label of the call, with `where` in front, what kernels were not declared with and ranges outside arenas.
std::vector<LoopCode> read_code(const double* code, size_t length, const std::vector<size_t>& arenas, size_t scalars,
                                const std::vector<std::string>& labels, const std::string& where);
