// What the files of the emulated runtime share; see include/cuda_runtime_api.h.
#pragma once
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>

struct EmulatedStream {};

struct EmulatedEvent {
  unsigned flags;
  double nanoseconds;
};

namespace emulator {

struct State {
  std::mutex mutex, launching;
  std::map<std::string, std::pair<unsigned, int>> failures;
  std::map<void*, size_t> pinned;
  size_t pinned_bytes = 0, objects = 0, streams = 0;
  cudaError_t lasting = cudaSuccess;  // of the context, which ends with its last stream
  std::string violation;
};

// Never destroyed: a process may end while a thread is in here.
State& state();
// Keeps an error for cudaGetLastError.
cudaError_t give(cudaError_t code);
// What a call gives before it does anything.
cudaError_t begin(const char* function);
// Counts streams, events and graphs.
void count(int more);
// Every call gives that error from now on, with the text of the violation if it is one.
void lose(cudaError_t code, const std::string& violation);
bool is_lost();
double clock_ns();

}  // namespace emulator
