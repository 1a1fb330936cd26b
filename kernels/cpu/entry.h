// How kernels are listed for native/registry.cc: a name, a function of untyped arguments, and their numbers.
#pragma once
#include <stdint.h>

class Team;

// A four-byte parameter.
union Word {
  uint32_t u;
  int32_t i;
  float f;
};

struct KernelEntry {
  const char* name;
  void (*run)(Team&, void* const* buffers, const Word* params);
  uint32_t buffers;
  uint32_t params;
};
