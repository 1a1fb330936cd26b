// Pinned host memory in blocks of powers of two, kept for the next who wants one. Copies between host and device go
// through such blocks, since only they are asynchronous, and no thread but JavaScript's own touches its memory.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

struct PinnedBlock {
  char* data = nullptr;
  size_t bytes = 0;
};

class PinnedPool {
 public:
  ~PinnedPool() { clear(); }

  // What a block for so many bytes really has.
  static size_t size_of(size_t bytes);
  // From any thread. Throws Refused.
  PinnedBlock take(size_t bytes);
  void give(PinnedBlock block);
  // Bytes of all blocks, taken or not.
  size_t bytes() const;
  // Frees the blocks that nobody has.
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<char*>> free_;
  size_t bytes_ = 0;
};
