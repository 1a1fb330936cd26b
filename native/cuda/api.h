// Calls of the CUDA runtime, checked: what is refused becomes an exception that says what was tried.
#pragma once
#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

struct Refused : std::runtime_error {
  Refused(cudaError_t code, const std::string& what);
  cudaError_t code;
};

// `out of memory (cudaErrorMemoryAllocation)`
std::string describe(cudaError_t code);

// Whether the context is gone with such an error, and with it all memory of the device in this process.
bool is_lasting(cudaError_t code);

// Throws Refused: `<what>: <description>`. Clears the error that the runtime keeps for the thread.
void check(cudaError_t code, const char* what);
void check(cudaError_t code, const std::string& what);

// `1.50 GiB`, `12.0 MiB`, `300 bytes`
std::string amount(double bytes);
