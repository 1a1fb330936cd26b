// A program as a graph: its calls recorded (kernels/cuda/record.h), repeats unrolled, one chain of kernel nodes that a run
// launches at once. Constants, ranges and the iterations of repeats lie in the nodes; what changes from run to run lies in
// a few words of device memory, which a run copies there before it launches the graph.
#pragma once
#include <cuda_runtime_api.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "code.h"
#include "device.h"
#include "record.h"

// A four-byte parameter.
union Word {
  uint32_t u;
  int32_t i;
  float f;
};

// A distinct run-time value.
struct RunWord {
  uint32_t scalar;  // the index of the run-time scalar
  bool is_float;
  double times;
  double most;      // the largest value that a size may have
};

// A kernel with what one iteration of a call gives it.
struct RecordedCall {
  const KernelEntry* kernel;
  uint32_t call, iteration;
  std::vector<BufferArg> buffers;
  std::vector<ParamArg> params;
  std::vector<Recorded> launches;
};

// What of a program is on the device. It lives as long as the program can run, and until its last run has ended.
class Executable {
 public:
  // For `code` see code.h; `labels` has one text for each call. Throws what is wrong, by the call's label.
  Executable(std::shared_ptr<Device> device, std::string name, std::vector<std::shared_ptr<Buffer>> arenas,
             std::vector<std::string> scalars, std::vector<bool> is_float, std::vector<std::string> labels, const double* code,
             size_t length);
  ~Executable();

  const std::string& name() const { return name_; }
  const std::vector<std::shared_ptr<Buffer>>& arenas() const { return arenas_; }
  // The words of a run with these scalars. Throws when a size is larger than the program was made for.
  std::vector<Word> words(const uint32_t* scalars, size_t count) const;
  // Makes the graph with events between calls, if it is not there.
  void prepare_timeline();
  // On the submission thread; `words` is pinned memory.
  void launch(cudaStream_t stream, const void* words, bool timeline);
  // (call, iteration, start, duration in nanoseconds) of each execution of the last timeline.
  std::vector<double> readings() const;
  // Gives back what is on the device.
  void end();

 private:
  RecordedCall bind(const CallCode& code, uint32_t call, uint32_t iteration);
  ParamArg param(const ParamCode& code, uint32_t iteration);
  uint32_t word(const ParamCode& code);
  void record();
  cudaGraphExec_t make_graph(const std::vector<cudaEvent_t>& events);
  void add_launch(cudaGraph_t graph, cudaGraphNode_t* last, RecordedCall& call, size_t i);

  std::shared_ptr<Device> device_;
  std::string name_;
  std::vector<std::shared_ptr<Buffer>> arenas_;
  std::vector<std::string> scalars_;
  std::vector<std::string> labels_;  // what an error says of a call
  std::vector<bool> scalar_is_float_;
  std::vector<RunWord> words_;
  std::vector<RecordedCall> calls_;
  std::shared_ptr<WorkingMemory> word_memory_, workspace_;
  cudaGraphExec_t graph_ = nullptr, timeline_ = nullptr;
  std::vector<cudaEvent_t> events_;
#if defined(BIOALBERT_EMULATED)
  std::deque<EmulatedFunction> functions_;
#endif
};

// What JavaScript holds. Empty once a buffer of it was freed.
class Program {
 public:
  static constexpr napi_type_tag kTag = {0x62696f616c626572, 13};
  static constexpr const char* kName = "a program";
  int64_t external_bytes() const { return 0; }

  Program(std::shared_ptr<Device> device, std::shared_ptr<Executable> executable)
      : device(std::move(device)), executable(std::move(executable)) {
    this->device->programs().insert(this);
  }
  ~Program() { device->programs().erase(this); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const std::shared_ptr<Device> device;
  std::shared_ptr<Executable> executable;
  // Why it is empty.
  std::string ended;
};
