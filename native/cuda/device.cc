#include "device.h"

#include <cstdlib>
#include <stdexcept>

#include "api.h"
#include "commands.h"
#include "program.h"

namespace {

// Devices that have threads. Never destroyed, since it is asked when the process ends.
struct Open {
  std::mutex mutex;
  std::set<Device*> devices;
};
Open& open_devices() {
  static Open* const kept = new Open();
  return *kept;
}

}  // namespace

// ---------------------------------------------------------------- memory

Memory::Memory(std::shared_ptr<Device> device, size_t bytes, std::string what, bool is_cleared)
    : label(std::move(what)), device_(std::move(device)), data_(device_->allocate(bytes, label, is_cleared)), bytes_(bytes) {}

void Memory::release() {
  char* const kept = data_;
  data_ = nullptr;
  if (kept) device_->release(kept);
}

WorkingMemory::WorkingMemory(std::shared_ptr<Device> owner, size_t bytes, std::string what, bool is_cleared)
    : Memory(std::move(owner), bytes, std::move(what), is_cleared) {
  device()->working_bytes_ += bytes;
}

WorkingMemory::~WorkingMemory() { device()->working_bytes_ -= bytes(); }

cudaError_t Device::try_allocate(void** data, size_t bytes) {
  // nothing has no address
  const cudaError_t code = cudaMalloc(data, bytes == 0 ? 1 : bytes);
  if (code != cudaSuccess) static_cast<void>(cudaGetLastError());
  return code;
}

char* Device::allocate(size_t bytes, const std::string& what, bool is_cleared) {
  ensure_alive();
  use();
  void* data = nullptr;
  cudaError_t code = try_allocate(&data, bytes);
  if (code == cudaErrorMemoryAllocation && !queue_->is_idle()) {
    // memory that was freed goes back behind the runs that use it
    queue_->wait_idle();
    code = try_allocate(&data, bytes);
  }
  if (code == cudaErrorMemoryAllocation) {
    const auto [free, total] = memory();
    throw std::runtime_error(what + ": " + amount(double(bytes)) + " asked for, but of " + amount(double(total)) + " " + name_ + " has " +
                             amount(double(free)) + " free: " + describe(code));
  }
  ensure(code, what + ": " + amount(double(bytes)) + " on " + name_);
  char* const found = static_cast<char*>(data);
  allocations_.insert(found);
  if (is_cleared) {
    code = cudaMemsetAsync(data, 0, bytes, stream_);
    if (code != cudaSuccess) release(found);
    ensure(code, what + ": clearing " + amount(double(bytes)) + " on " + name_);
  }
  return found;
}

void Device::release(char* data) {
  if (!is_open_ || allocations_.erase(data) == 0) return;
  use();
  // waits for the stream, on which there is nothing if nothing is under way
  if (queue_->is_idle())
    static_cast<void>(cudaFree(data));
  else
    push(env_, std::make_shared<Release>(shared_from_this(), data));
}

std::shared_ptr<WorkingMemory> Device::workspace(size_t bytes, const std::string& program) {
  auto found = workspace_.lock();
  if (!found || found->bytes() < bytes) {
    found = std::make_shared<WorkingMemory>(shared_from_this(), bytes, "working memory of program " + program, false);
    workspace_ = found;
  }
  return found;
}

void Device::free(Buffer& buffer) {
  for (Program* program : programs_) {
    if (!program->executable) continue;
    for (const auto& arena : program->executable->arenas())
      if (arena.get() == &buffer) program->ended = "program " + program->executable->name() + ": its arena " + buffer.label + " was freed";
    if (!program->ended.empty()) program->executable.reset();
  }
  buffer.release();
}

std::pair<size_t, size_t> Device::memory() {
  use();
  size_t free = 0, total = 0;
  ensure(cudaMemGetInfo(&free, &total), name_ + ": free memory");
  return {free, total};
}

// ---------------------------------------------------------------- commands

void Device::push(napi_env env, std::shared_ptr<Command> command) {
  gate_->expect(env);
  queue_->push(std::move(command));
}

void Device::stage(Direction direction, ptrdiff_t bytes) {
  staged_[direction] += size_t(bytes);
  queue_->change([] {});
}

void Device::fill(napi_env env, size_t most) {
  for (; most > 0 && !unfilled_.empty(); most--) {
    const std::shared_ptr<WritePiece> piece = unfilled_.front();
    if (!piece->fill(env)) return;
    unfilled_.pop_front();
  }
}

// ---------------------------------------------------------------- errors

void Device::ensure_alive() const {
  if (!is_open_) throw std::runtime_error(name_ + " was closed");
  const std::string lost = queue_->lost();
  if (!lost.empty()) throw std::runtime_error(lost);
}

void Device::fail(const Refused& error) {
  if (!is_lasting(error.code)) throw error;
  queue_->lose(error.code);
  throw std::runtime_error(queue_->lost());
}

void Device::ensure(cudaError_t code, const std::string& what) {
  if (code == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  fail(Refused(code, what));
}

// ---------------------------------------------------------------- beginning and end

std::shared_ptr<Device> Device::open(napi_env env, int index) {
  const std::shared_ptr<Device> device(new Device());
  device->start(env, index);
  return device;
}

void Device::start(napi_env env, int index) {
  index_ = index;
  env_ = env;
#if defined(BIOALBERT_EMULATED)
  name_ = "cuda-emulated";
#else
  name_ = "cuda:" + std::to_string(index);
#endif
  int count = 0;
  check(cudaGetDeviceCount(&count), "the cuda device is not available");
  if (index >= count)
    throw std::invalid_argument("there is no " + name_ + ": " + std::to_string(count) + (count == 1 ? " device is" : " devices are") +
                                " here, the first is cuda:0");
  check(cudaSetDevice(index), name_);
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), name_);
  chip_ = {properties.name, properties.major * 10 + properties.minor, uint32_t(properties.multiProcessorCount),
           properties.sharedMemPerBlockOptin, size_t(properties.l2CacheSize)};
  if (chip_.capability < 80)
    throw std::runtime_error(name_ + " is " + chip_.name + " of compute capability " + std::to_string(properties.major) + "." +
                             std::to_string(properties.minor) + " (want 8.0 or later)");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), name_);
  try {
    gate_ = std::make_shared<Gate>();
    gate_->open(env);
    queue_ = std::make_unique<Queue>(index, name_, stream_, gate_);
    door::check(napi_add_env_cleanup_hook(env, on_end_of_environment, this));
  } catch (...) {
    queue_.reset();
    gate_->close();
    static_cast<void>(cudaStreamDestroy(stream_));
    throw;
  }
  is_open_ = true;
  Open& all = open_devices();
  const std::lock_guard<std::mutex> lock(all.mutex);
  static const int registered = std::atexit(on_exit);
  static_cast<void>(registered);
  all.devices.insert(this);
}

Device::~Device() { end_memory(); }

void Device::close(napi_env env) {
  if (!is_open_) return;
  const auto self = shared_from_this();
  queue_->end(true);
  gate_->drain(env);
  end_memory();
}

void Device::on_end_of_environment(void* data) {
  auto* const device = static_cast<Device*>(data);
  const auto self = device->shared_from_this();
  device->queue_->end(false);
  for (const auto& command : device->gate_->take()) command->drop(device->env_);
  device->end_memory();
}

void Device::on_exit() {
  Open& all = open_devices();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (Device* device : all.devices) {
    device->gate_->mute();
    device->queue_->end(false);
  }
}

// The threads are joined, or joined here with nothing left to do.
void Device::end_memory() {
  if (!is_open_) return;
  is_open_ = false;
  use();
  queue_->end(false);
  unfilled_.clear();
  {
    Open& all = open_devices();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.devices.erase(this);
  }
  static_cast<void>(napi_remove_env_cleanup_hook(env_, on_end_of_environment, this));
  gate_->close();
  for (Executable* executable : executables_) executable->end();
  for (char* data : allocations_) static_cast<void>(cudaFree(data));
  allocations_.clear();
  pinned_.clear();
  static_cast<void>(cudaStreamDestroy(stream_));
  static_cast<void>(cudaGetLastError());
}
