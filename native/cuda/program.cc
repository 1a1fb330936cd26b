#include "program.h"

#include <algorithm>
#include <stdexcept>

#include "api.h"

namespace {

// A launch may ask for more than this only after the kernel was told so.
constexpr size_t kSharedByDefault = 48 * 1024;

uint32_t bits(double value, bool is_float) {
  Word w;
  if (is_float)
    w.f = float(value);
  else if (value < 0)
    w.i = int32_t(value);
  else
    w.u = value > double(UINT32_MAX) ? UINT32_MAX : uint32_t(value);
  return w.u;
}

}  // namespace

Executable::Executable(std::shared_ptr<Device> device, std::string name, std::vector<std::shared_ptr<Buffer>> arenas,
                       std::vector<std::string> scalars, std::vector<bool> is_float, std::vector<std::string> labels,
                       const double* code, size_t length)
    : device_(std::move(device)), name_(std::move(name)), arenas_(std::move(arenas)), scalars_(std::move(scalars)),
      labels_(std::move(labels)), scalar_is_float_(std::move(is_float)) {
  try {
    std::vector<size_t> sizes;
    for (const auto& arena : arenas_) sizes.push_back(arena->bytes());
    uint32_t first = 0;  // index of the loop's first call
    for (const LoopCode& loop : read_code(code, length, sizes, scalars_.size(), labels_, "prepare " + name_ + ": ")) {
      for (uint32_t n = 0; n < loop.count; n++)
        for (uint32_t c = 0; c < loop.body.size(); c++)
          calls_.push_back(bind(loop.body[c], first + c, loop.reverse ? loop.count - 1 - n : n));
      first += uint32_t(loop.body.size());
    }
    record();
    graph_ = make_graph({});
  } catch (...) {
    end();
    throw;
  }
  device_->executables().insert(this);
}

Executable::~Executable() {
  device_->executables().erase(this);
  end();
}

void Executable::end() {
  for (cudaGraphExec_t* graph : {&graph_, &timeline_})
    if (*graph) static_cast<void>(cudaGraphExecDestroy(*graph)), *graph = nullptr;
  for (const cudaEvent_t event : events_) static_cast<void>(cudaEventDestroy(event));
  events_.clear();
  word_memory_.reset();
  workspace_.reset();
}

// ---------------------------------------------------------------- calls

RecordedCall Executable::bind(const CallCode& code, uint32_t index, uint32_t iteration) {
  RecordedCall call{code.kernel, index, iteration, {}, {}, {}};
  for (const RefCode& r : code.refs)
    call.buffers.push_back({arenas_[r.arena]->data() + r.offset + uint64_t((iteration + r.shift) % r.modulo) * r.stride, r.bytes});
  for (const ParamCode& p : code.params) call.params.push_back(param(p, iteration));
  return call;
}

// A run-time word has the number of the word, plus one, in place of its address until `record`.
ParamArg Executable::param(const ParamCode& p, uint32_t iteration) {
  if (p.scalar <= 0) return {nullptr, bits(p.scalar < 0 ? p.times : p.times * iteration, p.is_float)};
  const uint32_t most = p.is_float ? 0 : p.capacity > 0 && p.times >= 0 ? bits(p.times * p.capacity, false) : UINT32_MAX;
  return {reinterpret_cast<const void*>(uintptr_t(word(p) + 1)), most};
}

uint32_t Executable::word(const ParamCode& p) {
  const uint32_t scalar = uint32_t(p.scalar - 1);
  const double most = p.capacity > 0 ? p.capacity : double(UINT32_MAX);
  for (RunWord& w : words_)
    if (w.scalar == scalar && w.is_float == p.is_float && w.times == p.times) {
      w.most = std::min(w.most, most);
      return uint32_t(&w - words_.data());
    }
  words_.push_back({scalar, p.is_float, p.times, most});
  return uint32_t(words_.size() - 1);
}

// First without scratch memory, to learn how much the largest call wants.
void Executable::record() {
  char* words = nullptr;
  if (!words_.empty()) {
    word_memory_ = std::make_shared<WorkingMemory>(device_, words_.size() * sizeof(Word), "run-time sizes of " + name_, true);
    words = word_memory_->data();
  }
  for (RecordedCall& call : calls_)
    for (ParamArg& p : call.params)
      if (p.at) p.at = words + (reinterpret_cast<uintptr_t>(p.at) - 1) * sizeof(Word);
  const auto record_all = [this](char* scratch) {
    size_t most = 0;
    for (RecordedCall& call : calls_) {
      Launch launch(device_->chip(), scratch);
      try {
        call.kernel->record(launch, call.buffers.data(), call.params.data());
      } catch (const std::exception& error) {
        throw std::invalid_argument("prepare " + name_ + ": " + labels_[call.call] + ": " + error.what());
      }
      most = std::max(most, launch.scratch_bytes());
      call.launches = std::move(launch.recorded);
    }
    return most;
  };
  const size_t scratch = record_all(nullptr);
  if (scratch > 0) workspace_ = device_->workspace(scratch, name_);
  // where nobody wants any, nobody uses the address, but it must not be null
  record_all(workspace_ ? workspace_->data() : reinterpret_cast<char*>(this));
}

std::vector<Word> Executable::words(const uint32_t* scalars, size_t count) const {
  if (count != scalar_is_float_.size()) throw std::invalid_argument("wrong number of scalars");
  std::vector<Word> found;
  for (const RunWord& w : words_) {
    Word scalar, word;
    scalar.u = scalars[w.scalar];
    const bool is_float = scalar_is_float_[w.scalar];
    if (!is_float && scalar.u > w.most)
      throw std::invalid_argument("run " + name_ + ": " + scalars_[w.scalar] + " is " + std::to_string(scalar.u) +
                                  ", the program was made for at most " + std::to_string(uint32_t(w.most)));
    word.u = bits(w.times * (is_float ? double(scalar.f) : double(scalar.u)), w.is_float);
    found.push_back(word);
  }
  return found;
}

// ---------------------------------------------------------------- graphs

void Executable::add_launch(cudaGraph_t graph, cudaGraphNode_t* last, RecordedCall& call, size_t i) {
  Recorded& r = call.launches[i];
  const std::string name = labels_[call.call] + ": launch " + std::to_string(i + 1) + " of " + std::to_string(call.launches.size());
  const auto what = [&] {
    return "prepare " + name_ + ": " + name + " (grid " +
           std::to_string(r.grid.x) + " x " + std::to_string(r.grid.y) + " x " + std::to_string(r.grid.z) + ", " +
           std::to_string(r.threads) + " threads, " + std::to_string(r.shared) + " bytes of shared memory)";
  };
  std::vector<void*> arguments = r.arguments();
  arguments.push_back(nullptr);
  cudaKernelNodeParams params{};
  params.func = const_cast<void*>(r.function);
  params.gridDim = dim3(r.grid.x, r.grid.y, r.grid.z);
  params.blockDim = dim3(r.threads, 1, 1);
  params.sharedMemBytes = unsigned(r.shared);
  params.kernelParams = arguments.data();
#if defined(BIOALBERT_EMULATED)
  // what the call may touch goes with the kernel
  EmulatedFunction function{r.invoke, name, {}};
  for (const BufferArg& b : call.buffers) function.ranges.push_back({static_cast<const char*>(b.data), b.bytes});
  for (const auto& memory : {word_memory_, workspace_})
    if (memory) function.ranges.push_back({memory->data(), memory->bytes()});
  functions_.push_back(std::move(function));
  params.func = &functions_.back();
#endif
  cudaError_t code = cudaSuccess;
  if (r.shared > kSharedByDefault)
    code = cudaFuncSetAttribute(r.function, cudaFuncAttributeMaxDynamicSharedMemorySize, int(device_->chip().shared_bytes));
  const cudaGraphNode_t before = *last;
  if (code == cudaSuccess) code = cudaGraphAddKernelNode(last, graph, &before, before ? 1 : 0, &params);
  if (code != cudaSuccess) device_->ensure(code, what());
}

// One node behind the other; with events, one is recorded before each call and one after the last.
cudaGraphExec_t Executable::make_graph(const std::vector<cudaEvent_t>& events) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t made = nullptr;
  const std::string what = "prepare " + name_ + ": a graph of " + std::to_string(calls_.size()) + " calls";
  device_->ensure(cudaGraphCreate(&graph, 0), what);
  try {
    cudaGraphNode_t last = nullptr;
    const auto add_event = [&](size_t i) {
      if (events.empty()) return;
      const cudaGraphNode_t before = last;
      device_->ensure(cudaGraphAddEventRecordNode(&last, graph, &before, before ? 1 : 0, events[i]), what);
    };
    add_event(0);
    for (size_t c = 0; c < calls_.size(); c++) {
      for (size_t i = 0; i < calls_[c].launches.size(); i++) add_launch(graph, &last, calls_[c], i);
      add_event(c + 1);
    }
    device_->ensure(cudaGraphInstantiate(&made, graph, 0), what);
    device_->ensure(cudaGraphUpload(made, device_->stream()), what);
  } catch (...) {
    static_cast<void>(cudaGraphDestroy(graph));
    if (made) static_cast<void>(cudaGraphExecDestroy(made));
    throw;
  }
  static_cast<void>(cudaGraphDestroy(graph));
  return made;
}

void Executable::prepare_timeline() {
  if (timeline_) return;
  while (events_.size() < calls_.size() + 1) {
    cudaEvent_t event;
    device_->ensure(cudaEventCreateWithFlags(&event, cudaEventDefault), "timeline of " + name_ + ": an event");
    events_.push_back(event);
  }
  timeline_ = make_graph(events_);
}

void Executable::launch(cudaStream_t stream, const void* words, bool timeline) {
  if (!words_.empty())
    check(cudaMemcpyAsync(word_memory_->data(), words, words_.size() * sizeof(Word), cudaMemcpyHostToDevice, stream), name_);
  check(cudaGraphLaunch(timeline ? timeline_ : graph_, stream), name_);
}

std::vector<double> Executable::readings() const {
  std::vector<double> found;
  double start = 0;
  for (size_t i = 0; i < calls_.size(); i++) {
    float end = 0;
    check(cudaEventElapsedTime(&end, events_.front(), events_[i + 1]), name_);
    const double at = double(end) * 1e6;
    for (const double value : {double(calls_[i].call), double(calls_[i].iteration), start, std::max(0.0, at - start)})
      found.push_back(value);
    start = std::max(start, at);
  }
  return found;
}
