// The CUDA runtime over the block emulator; see include/cuda_runtime_api.h.
#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>

struct EmulatedStream {};
struct EmulatedEvent {
  unsigned flags;
  double nanoseconds;
};
struct EmulatedNode {
  cudaKernelNodeParams params;  // none of an event
  std::vector<void*> arguments;
  cudaEvent_t event;
};
struct EmulatedGraph {
  std::vector<std::unique_ptr<EmulatedNode>> nodes;
};
struct EmulatedExec {
  std::vector<EmulatedNode> nodes;
};

namespace {

// Never destroyed: a process may end while a thread is in here.
struct State {
  std::mutex mutex, launching;
  std::map<std::string, std::pair<unsigned, int>> failures;
  std::map<void*, size_t> pinned;
  size_t pinned_bytes = 0, objects = 0, streams = 0;
  cudaError_t lasting = cudaSuccess;  // of the context, which ends with its last stream
  std::string violation;
};
State& state() {
  static State* const kept = new State();
  return *kept;
}

thread_local cudaError_t last = cudaSuccess;
thread_local std::string violation_text;

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

void launch(EmulatedNode& node) {
  const cudaError_t planted = begin("kernel");
  if (planted != cudaSuccess) return lose(planted, "");
  const cudaKernelNodeParams& p = node.params;
  const auto* function = static_cast<const EmulatedFunction*>(p.func);
  emulator::Kernel kernel{function->invoke, node.arguments.data(), {p.gridDim.x, p.gridDim.y, p.gridDim.z},
                          p.blockDim.x,     p.sharedMemBytes,      &function->ranges};
  try {
    emulator::run(kernel);
  } catch (const emulator::Violation& violation) {
    lose(cudaErrorIllegalAddress, violation.what());
  }
}

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

constexpr unsigned kMostThreads = 1024, kMostGrid = 65535;

}  // namespace

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
  if (bytes <= size_t(1) << 24) std::memset(*memory, 0xcb, bytes);
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
  if (code == cudaSuccess) std::memset(memory, value, bytes);
  return code;
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

cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned) {
  const cudaError_t code = begin("cudaGraphCreate");
  if (code != cudaSuccess) return code;
  *graph = new EmulatedGraph();
  count(1);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  count(-1);
  return begin("cudaGraphDestroy");
}

namespace {

// A chain is all that there can be: each node stands behind the one before it.
cudaError_t add(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after, size_t count, EmulatedNode made) {
  const bool is_chain = graph->nodes.empty() ? count == 0 : count == 1 && *after == graph->nodes.back().get();
  if (!is_chain) return give(cudaErrorInvalidValue);
  graph->nodes.push_back(std::make_unique<EmulatedNode>(std::move(made)));
  *node = graph->nodes.back().get();
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after, size_t count,
                                   const cudaKernelNodeParams* params) {
  const cudaError_t code = begin("cudaGraphAddKernelNode");
  if (code != cudaSuccess) return code;
  const dim3 &g = params->gridDim, &b = params->blockDim;
  if (g.x == 0 || g.x > 0x7fffffffu || g.y == 0 || g.y > kMostGrid || g.z == 0 || g.z > kMostGrid || b.x == 0 ||
      b.x > kMostThreads || b.y != 1 || b.z != 1 || params->sharedMemBytes > emulator::chip().shared_bytes)
    return give(cudaErrorInvalidConfiguration);
  EmulatedNode made{*params, {}, nullptr};
  // a list that ends with null, since nothing else tells how long it is
  for (void** argument = params->kernelParams; *argument; argument++) made.arguments.push_back(*argument);
  return add(node, graph, after, count, std::move(made));
}

cudaError_t cudaGraphAddEventRecordNode(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after, size_t count,
                                        cudaEvent_t event) {
  const cudaError_t code = begin("cudaGraphAddEventRecordNode");
  return code == cudaSuccess ? add(node, graph, after, count, {{}, {}, event}) : code;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  const cudaError_t code = begin("cudaGraphInstantiate");
  if (code != cudaSuccess) return code;
  *exec = new EmulatedExec();
  for (const auto& node : graph->nodes) (*exec)->nodes.push_back(*node);
  count(1);
  return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return begin("cudaGraphUpload"); }

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  const cudaError_t code = begin("cudaGraphLaunch");
  if (code != cudaSuccess) return code;
  const std::lock_guard<std::mutex> lock(state().launching);
  for (EmulatedNode& node : exec->nodes) {
    if (is_lost()) break;
    if (node.event)
      node.event->nanoseconds = clock_ns();
    else
      launch(node);
  }
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  count(-1);
  return begin("cudaGraphExecDestroy");
}

namespace emulator {

void fail_call(const char* function, unsigned count, int error) {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  s.failures[function] = {count, error};
}

Held held() {
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.mutex);
  return {allocated(), s.pinned_bytes, s.objects};
}

}  // namespace emulator
