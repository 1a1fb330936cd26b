#include "pool.h"

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "pages.h"
#include "processor.h"

namespace {

// Pauses of a waiting thread where every thread has a core, then calls to yield, then it parks. Within a job the others
// are about to come, and waking costs more than some milliseconds of yielding do; between jobs there may be no next one.
constexpr int kSpins = 4000;
constexpr int kYieldsInJob = 4000;
constexpr int kYieldsBetweenJobs = 0;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Working memory begins at a multiple of a large page's size. From the heap under AddressSanitizer, which then sees its ends.
#if !defined(__SANITIZE_ADDRESS__)
float* allocate(size_t floats) {
  constexpr size_t kLargePage = size_t(2) << 20;
  void* p = map_pages(floats * sizeof(float), kLargePage);
  if (!p) throw std::bad_alloc();
  return static_cast<float*>(p);
}
void release(float* p, size_t floats) { unmap_pages(p, floats * sizeof(float)); }
#else
float* allocate(size_t floats) {
  void* p = std::aligned_alloc(64, floats * sizeof(float));
  if (!p) throw std::bad_alloc();
  return static_cast<float*>(p);
}
void release(float* p, size_t) { std::free(p); }
#endif

// Denormals are flushed while kernels run: they cost a hundred times a normal number and change no result that matters.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  FlushDenormals() {}
#endif
};

// Binds the calling thread to a processor (-1: to none) and gives back the affinity that it had.
class Bound {
 public:
#if defined(__linux__)
  explicit Bound(int processor) : is_bound_(processor >= 0 && sched_getaffinity(0, sizeof saved_, &saved_) == 0) {
    if (!is_bound_) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    is_bound_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~Bound() {
    if (is_bound_) sched_setaffinity(0, sizeof saved_, &saved_);
  }

 private:
  cpu_set_t saved_;
  bool is_bound_;
#else
  explicit Bound(int) {}
#endif
};

// One processor for each of `threads`, neighbours from where the caller runs on, so that several small pools on a large
// machine do not all gather on its first cores.
std::vector<int> choose(const std::vector<int>& cores, unsigned threads) {
  size_t first = 0;
#if defined(__linux__)
  const int here = sched_getcpu();
  while (first + 1 < cores.size() && cores[first] < here) first++;
#endif
  std::vector<int> chosen;
  for (unsigned i = 0; i < threads; i++) chosen.push_back(cores[(first + i) % cores.size()]);
  return chosen;
}

}  // namespace

Pool::Pool(unsigned threads, bool pin) : threads_(threads == 0 ? 1 : threads) {
  const std::vector<int> cores = core_processors();
  if (pin && threads_ <= cores.size()) processors_ = choose(cores, threads_);
  spins_ = threads_ <= (cores.empty() ? physical_cores() : cores.size()) ? kSpins : 0;
  try {
    shared_ = allocate(Team::kSharedFloats);
    for (unsigned i = 0; i < threads_; i++) scratch_.push_back(allocate(Team::kScratchFloats));
    for (unsigned i = 1; i < threads_; i++) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::exception& e) {
    const size_t started = workers_.size() + 1;
    end();
    throw std::runtime_error("cannot start thread " + std::to_string(started) + " of " + std::to_string(threads_) + ": " + e.what());
  }
}

Pool::~Pool() { end(); }

void Pool::end() {
  stop_ = true;
  changed();
  for (auto& t : workers_) t.join();
  for (float* p : scratch_) release(p, Team::kScratchFloats);
  if (shared_) release(shared_, Team::kSharedFloats);
}

size_t Pool::bytes() const { return (Team::kSharedFloats + threads_ * Team::kScratchFloats) * sizeof(float); }

int Pool::processor_of(unsigned rank) const { return processors_.empty() ? -1 : processors_[rank]; }

// Either the waiting thread counts itself as parked before `changed` looks, and is woken, or it sees the change when it
// looks again: all of these are sequentially consistent.
template <class Done>
void Pool::wait(int yields, Done done) {
  for (int i = 0; i < spins_; i++) {
    if (done()) return;
    pause();
  }
  for (int i = 0; i < yields; i++) {
    if (done()) return;
    std::this_thread::yield();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  parked_.value.fetch_add(1);
  wake_.wait(lock, done);
  parked_.value.fetch_sub(1);
}

void Pool::changed() {
  if (parked_.value.load() == 0) return;
  // whoever is about to park has looked, or holds the lock until it sleeps
  { std::lock_guard<std::mutex> lock(mutex_); }
  wake_.notify_all();
}

void Pool::execute(unsigned rank) {
  FlushDenormals flush;
  Team team(*this, rank);
  (*job_)(team);
}

void Pool::work(unsigned rank) {
  Bound bound(processor_of(rank));
  uint64_t seen = 0;
  for (;;) {
    wait(kYieldsBetweenJobs, [&] { return generation_.load() != seen || stop_.load(); });
    if (stop_) return;
    seen = generation_.load();
    execute(rank);
    if (finished_.value.fetch_add(1) == threads_ - 2) changed();
  }
}

void Pool::run(const std::function<void(Team&)>& job) {
  std::lock_guard<std::mutex> one(busy_);
  job_ = &job;
  finished_.value.store(0);
  generation_.fetch_add(1);
  changed();
  Bound bound(processor_of(0));
  execute(0);
  wait(kYieldsInJob, [&] { return finished_.value.load() == threads_ - 1; });
}

uint32_t Team::claim() {
  const uint32_t phase = pool_.phase_.value.load(std::memory_order_relaxed);
  return pool_.tasks_[phase % 3].value.fetch_add(1, std::memory_order_relaxed);
}

void Team::join() {
  const uint32_t phase = pool_.phase_.value.load(std::memory_order_relaxed);
  if (pool_.arrived_.value.fetch_add(1, std::memory_order_acq_rel) == pool_.threads_ - 1) {
    pool_.arrived_.value.store(0, std::memory_order_relaxed);
    pool_.tasks_[(phase + 2) % 3].value.store(0, std::memory_order_relaxed);
    pool_.phase_.value.store(phase + 1);
    pool_.changed();
    return;
  }
  pool_.wait(kYieldsInJob, [&] { return pool_.phase_.value.load() != phase; });
}

float* Team::scratch() { return pool_.scratch_[rank_]; }
float* Team::shared() { return pool_.shared_; }
