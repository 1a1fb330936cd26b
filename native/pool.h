// The thread pool that executes command lists.
//
// `run` hands one function to all threads; the calling thread takes part as rank 0. Threads wait for work by spinning
// briefly and then parking, so an idle pool costs nothing and a busy one starts a job within microseconds. Inside a
// job the threads meet in Team::join, a barrier that spins, then yields: with more threads than cores it still moves.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "team.h"

class Pool {
 public:
  explicit Pool(unsigned threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  unsigned threads() const { return threads_; }
  // Working memory held by the pool.
  size_t bytes() const;
  // Calls job(team) on every thread and returns when all are done. One job at a time.
  void run(const std::function<void(Team&)>& job);

 private:
  friend class Team;
  void work(unsigned rank);
  void execute(unsigned rank);

  struct alignas(64) Counter {
    std::atomic<uint32_t> value{0};
  };

  unsigned threads_;
  std::vector<std::thread> workers_;
  std::vector<float*> scratch_;
  float* shared_ = nullptr;

  std::mutex busy_;  // one job at a time
  std::mutex mutex_;
  std::condition_variable wake_;
  const std::function<void(Team&)>* job_ = nullptr;
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  Counter finished_;

  // Phase p counts its tasks in tasks_[p % 3]; the last thread to arrive clears the counter of phase p + 2.
  Counter tasks_[3];
  Counter arrived_;
  Counter phase_;
};
