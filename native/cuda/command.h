// What a device is asked for, one after the other: a run, a piece of a write or a read, the freeing of memory.
//
// The thread of JavaScript makes a command; the submission thread puts its work on the stream; the completion thread waits
// for that work; the thread of JavaScript settles it and lets go of it, and with it of all that it kept alive.
#pragma once
#include <cuda_runtime_api.h>
#include <node_api.h>

#include <memory>
#include <string>

class Device;

class Command {
 public:
  explicit Command(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Whether it can be submitted; asked under the mutex of the queue, which must be notified when that changes.
  virtual bool is_ready() { return true; }
  // Puts work on the stream, on the submission thread. What it throws is the failure.
  virtual void submit(cudaStream_t stream) = 0;
  // The work is done or will never be; on the completion thread. What it throws is the failure.
  virtual void finish() {}
  // Keeps a promise, on the thread of JavaScript.
  virtual void settle(napi_env) {}
  // Lets go of what it has of JavaScript, which has ended.
  virtual void drop(napi_env) {}

  // What was under way, for the message when the device is lost; empty if it is no program.
  virtual std::string program() const { return {}; }
  virtual bool is_run() const { return false; }
  // Of these one is under way at a time.
  virtual bool is_alone() const { return false; }

  bool failed() const { return !failure.empty(); }

  // Why it was not done. Empty when it was.
  std::string failure;
  // What the submission thread was told; of an error that lasts, an earlier command may be the cause.
  cudaError_t refused = cudaSuccess;
  // The submission thread has taken it.
  bool is_taken = false;

 protected:
  const std::shared_ptr<Device>& device() const { return device_; }

 private:
  std::shared_ptr<Device> device_;
};
