// One GPU as JavaScript holds it: its memory, its stream and the queue in front of it.
//
// Everything ends on the thread of JavaScript: by `close`, when the handle is dropped and nothing is under way, or when
// the environment ends (a worker that exits or is terminated). Then the threads are joined and all memory goes back;
// buffers and programs that are still held are empty from then on. Where the process ends in the middle (process.exit), the
// threads are joined before the runtime's own end begins.
#pragma once
#include <cuda_runtime_api.h>
#include <node_api.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "api.h"
#include "door.h"
#include "gate.h"
#include "pinned.h"
#include "queue.h"
#include "record.h"

class Executable;
class Program;
class WritePiece;

// Device memory that goes back with the last who holds it.
class Memory {
 public:
  // For `what`; cleared, or left as it is. Throws std::runtime_error with what was asked for and what there is.
  Memory(std::shared_ptr<Device> device, size_t bytes, std::string what, bool is_cleared);
  ~Memory() { release(); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Gives it back behind all that was asked for before. On the thread of JavaScript.
  void release();
  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  const std::shared_ptr<Device>& device() const { return device_; }

  const std::string label;

 private:
  std::shared_ptr<Device> device_;
  char* data_;
  size_t bytes_;
};

// An arena.
class Buffer : public Memory {
 public:
  static constexpr napi_type_tag kTag = {0x62696f616c626572, 12};
  static constexpr const char* kName = "a buffer";
  int64_t external_bytes() const { return 0; }

  Buffer(std::shared_ptr<Device> device, size_t bytes, std::string label)
      : Memory(std::move(device), bytes, std::move(label), true) {}
};

// What programs work in beside their arenas: counted by the device.
class WorkingMemory : public Memory {
 public:
  WorkingMemory(std::shared_ptr<Device> device, size_t bytes, std::string what, bool is_cleared);
  ~WorkingMemory();
};

class Device : public std::enable_shared_from_this<Device> {
 public:
  static constexpr napi_type_tag kTag = {0x62696f616c626572, 11};
  static constexpr const char* kName = "a device";
  int64_t external_bytes() const { return 0; }

  // Throws std::runtime_error with the reason when there is no such device.
  static std::shared_ptr<Device> open(napi_env env, int index);
  ~Device();

  const std::string& name() const { return name_; }
  const Chip& chip() const { return chip_; }

  // All of these are called on the thread of JavaScript, but `staging` and what it says otherwise.

  // Ends the device: lets what was asked for come to its end, fails what cannot, settles all.
  void close(napi_env env);
  // Throws when it was closed or is lost.
  void ensure_alive() const;
  // Throws what `error` tells, having marked the device as lost if that is what happened.
  [[noreturn]] void fail(const Refused& error);
  void ensure(cudaError_t code, const std::string& what);

  // Memory in which calls of a program work, shared with other programs if it is large enough, since runs never overlap.
  std::shared_ptr<WorkingMemory> workspace(size_t bytes, const std::string& program);
  // Frees a buffer and what programs have that can never run again without it.
  void free(Buffer& buffer);
  // Free and all memory of the device.
  std::pair<size_t, size_t> memory();
  // What programs hold beside buffers.
  size_t working_bytes() const { return working_bytes_; }
  PinnedPool& pinned() { return pinned_; }

  cudaStream_t stream() const { return stream_; }
  // Hands a command to the queue.
  void push(napi_env env, std::shared_ptr<Command> command);
  Queue& queue() { return *queue_; }

  // Bounds for what copies may hold of pinned memory. A write waits for a place on the thread of JavaScript, a read
  // on the submission thread: each has its own, or they would wait for each other.
  enum Direction { kToDevice, kFromDevice };
  static constexpr size_t kPiece = size_t(4) << 20;
  bool has_place(Direction direction, size_t bytes) const { return staged_[direction] + bytes <= 16 * kPiece; }
  // From any thread, but not under the mutex of the queue, which is notified.
  void stage(Direction direction, ptrdiff_t bytes);
  // Pieces of writes whose data are still JavaScript's.
  void wait_for_place(std::shared_ptr<WritePiece> piece) { unfilled_.push_back(std::move(piece)); }
  bool is_anybody_waiting() const { return !unfilled_.empty(); }
  // Takes the data of so many of them; the next ones have their turn when these are done, so that a large array does not
  // hold up the event loop.
  void fill(napi_env env, size_t most);

  std::set<Program*>& programs() { return programs_; }
  std::set<Executable*>& executables() { return executables_; }

 private:
  friend class Memory;
  friend class WorkingMemory;
  Device() = default;
  void start(napi_env env, int index);
  char* allocate(size_t bytes, const std::string& what, bool is_cleared);
  void release(char* data);
  cudaError_t try_allocate(void** data, size_t bytes);
  void use() const { static_cast<void>(cudaSetDevice(index_)); }
  // Joins the threads and gives everything back.
  void end(bool finish);
  void end_memory();
  static void on_end_of_environment(void* device);
  static void on_exit();

  int index_ = 0;
  std::string name_;
  Chip chip_;
  cudaStream_t stream_ = nullptr;
  std::shared_ptr<Gate> gate_;
  std::unique_ptr<Queue> queue_;
  PinnedPool pinned_;
  std::set<char*> allocations_;
  std::weak_ptr<WorkingMemory> workspace_;
  size_t working_bytes_ = 0;
  std::atomic<size_t> staged_[2] = {{0}, {0}};
  std::deque<std::shared_ptr<WritePiece>> unfilled_;
  std::set<Program*> programs_;
  std::set<Executable*> executables_;
  napi_env env_ = nullptr;
  bool is_open_ = false;
};
