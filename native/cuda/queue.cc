#include "queue.h"

#include <algorithm>

#include "api.h"
#include "nvtx.h"

Queue::Queue(int device, std::string name, cudaStream_t stream, std::shared_ptr<Gate> gate)
    : device_(device), name_(std::move(name)), stream_(stream), gate_(std::move(gate)) {
  submission_ = std::thread([this] { submit_all(); });
  try {
    completion_ = std::thread([this] { complete_all(); });
  } catch (...) {
    end(false);
    throw;
  }
}

void Queue::push(std::shared_ptr<Command> command) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(command));
  }
  changed_.notify_all();
}

void Queue::change(const std::function<void()>& change) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    change();
  }
  changed_.notify_all();
}

bool Queue::is_idle() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return waiting_.empty() && under_way_ == 0;
}

void Queue::wait_idle() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] {
    return !lost_.empty() || under_way_ == 0 && (waiting_.empty() || !can_go());
  });
}

// Under the mutex, with somebody waiting.
bool Queue::can_go() const {
  if (!lost_.empty()) return true;
  Command& next = *waiting_.front();
  if (under_way_ >= kMostCommands || next.is_run() && runs_ >= kMostRuns || next.is_alone() && alone_ > 0) return false;
  return next.is_ready();
}

cudaEvent_t Queue::event() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!events_.empty()) {
      const cudaEvent_t kept = events_.back();
      events_.pop_back();
      return kept;
    }
  }
  cudaEvent_t made;
  check(cudaEventCreateWithFlags(&made, cudaEventDisableTiming | cudaEventBlockingSync), "an event");
  return made;
}

void Queue::submit_all() {
  static_cast<void>(cudaSetDevice(device_));
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    bool is_over = false;
    changed_.wait(lock, [&] {
      if (state_ != kDiscard && !waiting_.empty() && can_go()) return true;
      // what still waits when nothing is under way waits for JavaScript, which waits for this thread
      is_over = state_ == kDiscard || state_ == kFinish && (waiting_.empty() || under_way_ == 0);
      return is_over;
    });
    if (is_over) break;
    Flight flight{std::move(waiting_.front()), nullptr};
    Command& command = *flight.command;
    waiting_.pop_front();
    command.is_taken = true;
    under_way_++;
    runs_ += command.is_run();
    alone_ += command.is_alone();
    command.failure = lost_;
    if (!command.failed()) {
      if (command.is_run()) last_program_ = command.program();
      lock.unlock();
      const auto trying = [&command](const auto& work) {
        try {
          work();
        } catch (const Refused& error) {
          if (!command.failed()) command.failure = error.what();
          if (is_lasting(error.code)) command.refused = error.code;
        } catch (const std::exception& error) {
          if (!command.failed()) command.failure = error.what();
        }
      };
      const nvtx::Range range(command.program());
      trying([&] { command.submit(stream_); });
      // behind a submission that failed half way, too: what is on the stream uses memory of the command
      trying([&] {
        flight.event = event();
        check(cudaEventRecord(flight.event, stream_), "an event");
      });
      lock.lock();
    }
    flying_.push_back(std::move(flight));
    changed_.notify_all();
  }
  is_submitted_ = true;
  changed_.notify_all();
}

void Queue::complete_all() {
  static_cast<void>(cudaSetDevice(device_));
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !flying_.empty() || is_submitted_; });
    if (flying_.empty()) break;
    Flight flight = std::move(flying_.front());
    flying_.pop_front();
    Command& command = *flight.command;
    if (flight.event && lost_.empty()) {
      lock.unlock();
      const cudaError_t code = cudaEventSynchronize(flight.event);
      lock.lock();
      if (code != cudaSuccess) command.refused = code;
    }
    if (command.refused != cudaSuccess && lost_.empty()) mark_lost(command.refused, &command);
    if (!lost_.empty()) command.failure = lost_;
    lock.unlock();
    try {
      command.finish();
    } catch (const std::exception& error) {
      if (!command.failed()) command.failure = error.what();
    }
    lock.lock();
    if (flight.event) events_.push_back(flight.event);
    under_way_--;
    runs_ -= command.is_run();
    alone_ -= command.is_alone();
    lock.unlock();
    gate_->add(std::move(flight.command));
    lock.lock();
    changed_.notify_all();
  }
}

void Queue::end(bool finish) {
  std::deque<std::shared_ptr<Command>> left;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (state_ != kDiscard) state_ = finish ? kFinish : kDiscard;
  }
  changed_.notify_all();
  if (submission_.joinable()) submission_.join();
  if (!completion_.joinable()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_submitted_ = true;
  } else {
    completion_.join();
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    left.swap(waiting_);
    for (const cudaEvent_t e : events_) static_cast<void>(cudaEventDestroy(e));
    events_.clear();
  }
  for (auto& command : left) {
    command->is_taken = true;
    command->failure = lost_.empty() ? name_ + " was closed before this was done" : lost_;
    static_cast<void>(command->finish());
    gate_->add(std::move(command));
  }
}

std::string Queue::lost() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return lost_;
}

void Queue::lose(cudaError_t code) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (lost_.empty()) mark_lost(code, nullptr);
  }
  changed_.notify_all();
}

// What came before has ended well, or it would have said so; which of those on the stream it was, nobody tells.
void Queue::mark_lost(cudaError_t code, const Command* first) {
  std::vector<std::string> programs;
  const auto add = [&programs](const std::string& name) {
    if (!name.empty() && std::find(programs.begin(), programs.end(), name) == programs.end()) programs.push_back(name);
  };
  if (first) add(first->program());
  for (const Flight& flight : flying_) add(flight.command->program());
  if (programs.empty()) add(last_program_);
  std::string when;
  for (const std::string& name : programs) when += (when.empty() ? " while program " : " or ") + name;
  if (!when.empty()) when += " ran";
  lost_ = name_ + " was lost" + when + ": " + describe(code) +
          ". Nothing more can run on it in this process; what was saved last (a checkpoint) is whole, start again from it";
}
