#include "runtime.h"

#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace emulator {

namespace {

constexpr size_t kPage = 65536;  // a multiple of the system's
// From so many bytes on, memory is neither filled nor cleared byte by byte.
constexpr size_t kLarge = size_t(1) << 20;

thread_local cudaError_t last = cudaSuccess;
thread_local std::string violation_text;

const struct {
  cudaError_t code;
  const char *name, *text;
} kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {cudaErrorMisalignedAddress, "cudaErrorMisalignedAddress", "misaligned address"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
};

}  // namespace

State& state() {
  static State* const kept = new State();
  return *kept;
}

cudaError_t give(cudaError_t code) {
  if (code != cudaSuccess) last = code;
  return code;
}

// What a call gives before it does anything.
cudaError_t begin(const char* function) {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  const auto found = s.failures.find(function);
  if (found != s.failures.end() && --found->second.first == 0) {
    const int code = found->second.second;
    s.failures.erase(found);
    return give(cudaError_t(code));
  }
  return give(s.lasting);
}

void count(int more) {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  s.objects = size_t(ptrdiff_t(s.objects) + more);
}

void lose(cudaError_t code, const std::string& why) {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  if (s.lasting != cudaSuccess) return;
  s.lasting = code;
  s.violation = why;
}

bool is_lost() {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  return s.lasting != cudaSuccess;
}

double clock_ns() {
  using namespace std::chrono;
  return double(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

}  // namespace emulator

using namespace emulator;

const char* cudaGetErrorName(cudaError_t error) {
  for (const auto& e : kErrors)
    if (e.code == error) return e.name;
  return "cudaErrorUnknown";
}

const char* cudaGetErrorString(cudaError_t error) {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  if (error == s.lasting && !s.violation.empty()) {
    violation_text = s.violation;
    return violation_text.c_str();
  }
  for (const auto& e : kErrors)
    if (e.code == error) return e.text;
  return "unknown error";
}

cudaError_t cudaGetLastError() {
  const cudaError_t code = last;
  last = cudaSuccess;
  return code;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return begin("cudaDriverGetVersion");
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return begin("cudaRuntimeGetVersion");
}

cudaError_t cudaGetDeviceCount(int* count) {
  const cudaError_t code = begin("cudaGetDeviceCount");
  *count = code == cudaSuccess ? 1 : 0;
  return code;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? begin("cudaSetDevice") : give(cudaErrorInvalidDevice); }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return give(cudaErrorInvalidDevice);
  const cudaError_t code = begin("cudaGetDeviceProperties");
  if (code != cudaSuccess) return code;
  const emulator::Chip chip = emulator::chip();
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "block emulator");
  properties->major = chip.capability / 10;
  properties->minor = chip.capability % 10;
  properties->multiProcessorCount = int(chip.multiprocessors);
  properties->l2CacheSize = 1 << 20;
  properties->totalGlobalMem = emulator::capacity();
  properties->sharedMemPerBlockOptin = chip.shared_bytes;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const cudaError_t code = begin("cudaMemGetInfo");
  *total = emulator::capacity();
  *free = *total - emulator::allocated();
  return code;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const cudaError_t code = begin("cudaMalloc");
  if (code != cudaSuccess) return code;
  *memory = emulator::allocate(bytes);
  if (!*memory) return give(cudaErrorMemoryAllocation);
  // nobody shall count on zeros; the pages of large ranges are left untouched, since many are never used
  if (bytes <= kLarge) std::memset(*memory, 0xcb, bytes);
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  const cudaError_t code = begin("cudaFree");
  if (memory) {
    // waits for what is under way, as a GPU does
    const std::lock_guard<std::mutex> lock(state().launching);
    emulator::release(memory);
  }
  return code;
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  const cudaError_t code = begin("cudaHostAlloc");
  if (code != cudaSuccess) return code;
  *memory = std::malloc(bytes);
  if (!*memory) return give(cudaErrorMemoryAllocation);
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  s.pinned[*memory] = bytes;
  s.pinned_bytes += bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  const cudaError_t code = begin("cudaFreeHost");
  State& s = state();
  {
    const std::lock_guard<std::mutex> lock(s.mutex);
    const auto found = s.pinned.find(memory);
    if (found == s.pinned.end()) return give(cudaErrorInvalidValue);
    s.pinned_bytes -= found->second;
    s.pinned.erase(found);
  }
  std::free(memory);
  return code;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  const cudaError_t code = begin("cudaMemsetAsync");
  if (code != cudaSuccess) return code;
  auto* const at = static_cast<char*>(memory);
  const size_t before = (kPage - reinterpret_cast<uintptr_t>(at) % kPage) % kPage, whole = bytes < before ? 0 : (bytes - before) / kPage * kPage;
  if (value != 0 || whole < kLarge) {
    std::memset(at, value, bytes);
    return cudaSuccess;
  }
  // pages that are given back are zeros, and cost nothing until they are touched
  madvise(at + before, whole, MADV_DONTNEED);
  std::memset(at, 0, before);
  std::memset(at + before + whole, 0, bytes - before - whole);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  const cudaError_t code = begin("cudaMemcpyAsync");
  if (code == cudaSuccess) std::memcpy(to, from, bytes);
  return code;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const cudaError_t code = begin("cudaStreamCreateWithFlags");
  if (code != cudaSuccess) return code;
  *stream = new EmulatedStream();
  count(1);
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  s.streams++;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t code = begin("cudaStreamDestroy");
  delete stream;
  count(-1);
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  if (--s.streams == 0) {
    s.lasting = cudaSuccess;
    s.violation.clear();
  }
  return code;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) { return begin("cudaStreamSynchronize"); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const cudaError_t code = begin("cudaEventCreateWithFlags");
  if (code != cudaSuccess) return code;
  *event = new EmulatedEvent{flags, 0};
  count(1);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  count(-1);
  return begin("cudaEventDestroy");
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  const cudaError_t code = begin("cudaEventRecord");
  if (code == cudaSuccess) event->nanoseconds = clock_ns();
  return code;
}

cudaError_t cudaEventSynchronize(cudaEvent_t) { return begin("cudaEventSynchronize"); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const cudaError_t code = begin("cudaEventElapsedTime");
  if (code != cudaSuccess) return code;
  if ((start->flags | end->flags) & cudaEventDisableTiming) return give(cudaErrorInvalidResourceHandle);
  *milliseconds = float((end->nanoseconds - start->nanoseconds) * 1e-6);
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int value) {
  const cudaError_t code = begin("cudaFuncSetAttribute");
  if (code != cudaSuccess) return code;
  return size_t(value) <= emulator::chip().shared_bytes ? cudaSuccess : give(cudaErrorInvalidValue);
}

namespace emulator {

void fail_call(const char* function, unsigned count, int error) {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  if (count == 0)
    s.failures.erase(function);
  else
    s.failures[function] = {count, error};
}

Held held() {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  return {allocated(), s.pinned_bytes, s.objects};
}

}  // namespace emulator
