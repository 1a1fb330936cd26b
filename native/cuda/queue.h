// The order of a device: commands go onto its stream one after the other, and what is done goes to the gate in the same
// order. Two threads do it, so that the event loop never waits: one submits, one waits for the events behind the work.
//
// Some runs at most are on the stream at once: enough that the GPU never waits for a thread, few enough that an end need
// not wait long. A lasting error (an illegal address, say) leaves nothing of the context: the queue then is lost, and
// everything that is in it or comes later fails with one message.
#pragma once
#include <cuda_runtime_api.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "command.h"
#include "gate.h"

class Queue {
 public:
  // Starts the threads. Throws std::runtime_error. `name` is the device's.
  Queue(int device, std::string name, cudaStream_t stream, std::shared_ptr<Gate> gate);
  ~Queue() { end(false); }

  void push(std::shared_ptr<Command> command);
  // Something changed that a command waits for; `change` is made under the mutex.
  void change(const std::function<void()>& change);
  // Nothing is waiting or under way.
  bool is_idle() const;
  // Waits until nothing is, or the next in line waits for JavaScript, or the queue is lost.
  void wait_idle();
  // Ends both threads, when all is done that was asked for, or only what is on the stream. What was not done fails, and
  // all goes to the gate.
  void end(bool finish);
  // The message when the context is gone; empty as long as it is not.
  std::string lost() const;
  // Tells of a lasting error that a call gave beside the queue. The first one counts.
  void lose(cudaError_t code);

 private:
  void submit_all();
  void complete_all();
  bool can_go() const;
  void mark_lost(cudaError_t code, const Command* first);
  cudaEvent_t event();

  struct Flight {
    std::shared_ptr<Command> command;
    cudaEvent_t event;  // null if nothing was put on the stream
  };

  static constexpr size_t kMostRuns = 4, kMostCommands = 64;

  const int device_;
  const std::string name_;
  const cudaStream_t stream_;
  const std::shared_ptr<Gate> gate_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Command>> waiting_;
  std::deque<Flight> flying_;
  std::vector<cudaEvent_t> events_;
  size_t runs_ = 0, alone_ = 0, under_way_ = 0;
  enum { kOn, kFinish, kDiscard } state_ = kOn;
  bool is_submitted_ = false;  // the submission thread has ended
  std::string lost_, last_program_;
  std::thread submission_, completion_;
};
