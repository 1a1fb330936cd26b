// Graphs of the emulated runtime: chains of kernels and of readings of the clock.
#include <memory>

#include "runtime.h"

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

using namespace emulator;

namespace {

constexpr unsigned kMostThreads = 1024, kMostGrid = 65535;

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
    lose(cudaErrorIllegalAddress, function->name + ": " + violation.what());
  }
}

// A chain is all that there can be: each node stands behind the one before it.
cudaError_t add(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after, size_t count, EmulatedNode made) {
  const bool is_chain = graph->nodes.empty() ? count == 0 : count == 1 && *after == graph->nodes.back().get();
  if (!is_chain) return give(cudaErrorInvalidValue);
  graph->nodes.push_back(std::make_unique<EmulatedNode>(std::move(made)));
  *node = graph->nodes.back().get();
  return cudaSuccess;
}

}  // namespace

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
