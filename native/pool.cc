#include "pool.h"

#include <cstdlib>
#include <new>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr int kSpinsBeforePark = 4000;
constexpr int kSpinsBeforeYield = 2000;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

float* allocate(size_t floats) {
  void* p = std::aligned_alloc(64, floats * sizeof(float));
  if (!p) throw std::bad_alloc();
  return static_cast<float*>(p);
}

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

}  // namespace

Pool::Pool(unsigned threads) : threads_(threads == 0 ? 1 : threads) {
  shared_ = allocate(Team::kSharedFloats);
  for (unsigned i = 0; i < threads_; i++) scratch_.push_back(allocate(Team::kScratchFloats));
  for (unsigned i = 1; i < threads_; i++) workers_.emplace_back([this, i] { work(i); });
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& t : workers_) t.join();
  for (float* p : scratch_) std::free(p);
  std::free(shared_);
}

size_t Pool::bytes() const { return (Team::kSharedFloats + threads_ * Team::kScratchFloats) * sizeof(float); }

void Pool::execute(unsigned rank) {
  FlushDenormals flush;
  Team team(*this, rank);
  (*job_)(team);
}

void Pool::work(unsigned rank) {
  uint64_t seen = 0;
  for (;;) {
    for (int i = 0; i < kSpinsBeforePark && generation_.load(std::memory_order_acquire) == seen && !stop_; i++) pause();
    if (generation_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_.load(std::memory_order_acquire) != seen; });
    }
    if (stop_) return;
    seen = generation_.load(std::memory_order_acquire);
    execute(rank);
    finished_.value.fetch_add(1, std::memory_order_release);
  }
}

void Pool::run(const std::function<void(Team&)>& job) {
  std::lock_guard<std::mutex> one(busy_);
  job_ = &job;
  finished_.value.store(0, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  execute(0);
  for (int i = 0; finished_.value.load(std::memory_order_acquire) != threads_ - 1; i++)
    i < kSpinsBeforeYield ? pause() : std::this_thread::yield();
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
    pool_.phase_.value.store(phase + 1, std::memory_order_release);
    return;
  }
  for (int i = 0; pool_.phase_.value.load(std::memory_order_acquire) == phase; i++)
    i < kSpinsBeforeYield ? pause() : std::this_thread::yield();
}

float* Team::scratch() { return pool_.scratch_[rank_]; }
float* Team::shared() { return pool_.shared_; }
