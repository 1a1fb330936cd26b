// The thread pool that executes command lists.
//
// `run` hands one function to all threads; the calling thread takes part as rank 0. Whoever waits (for a job, for the
// others at the end of a phase, for the end of a job) spins briefly and then parks, so an idle pool costs nothing and a
// busy one starts a job within microseconds. With more threads than cores nobody spins: it would keep off the processor
// the very thread that is waited for.
//
// With no more threads than cores each is bound to a core of its own, rank 0 for the time of a job only: the calling
// thread gets its affinity back. A thread's scratch is untouched memory until that thread uses it, so the system places
// it near the thread's core.
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
  // `pin`: bind threads to cores if there are enough. Throws std::runtime_error when a thread cannot be started.
  explicit Pool(unsigned threads, bool pin = true);
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
  // Ends the threads that were started and frees what they worked in.
  void end();
  void work(unsigned rank);
  void execute(unsigned rank);
  int processor_of(unsigned rank) const;
  // Waits until done(), which reads what `changed` was called after.
  template <class Done>
  void wait(int yields, Done done);
  void changed();

  struct alignas(64) Counter {
    std::atomic<uint32_t> value{0};
  };

  unsigned threads_;
  // A processor for each rank; empty: not bound.
  std::vector<int> processors_;
  int spins_;
  std::vector<std::thread> workers_;
  std::vector<float*> scratch_;
  float* shared_ = nullptr;

  std::mutex busy_;  // one job at a time
  std::mutex mutex_;
  std::condition_variable wake_;
  Counter parked_;
  const std::function<void(Team&)>* job_ = nullptr;
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  Counter finished_;

  // Phase p counts its tasks in tasks_[p % 3]; the last thread to arrive clears the counter of phase p + 2.
  Counter tasks_[3];
  Counter arrived_;
  Counter phase_;
};
