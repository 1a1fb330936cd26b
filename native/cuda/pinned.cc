#include "pinned.h"

#include <string>

#include "api.h"

size_t PinnedPool::size_of(size_t bytes) {
  size_t size = 4096;
  while (size < bytes) size *= 2;
  return size;
}

PinnedBlock PinnedPool::take(size_t bytes) {
  const size_t size = size_of(bytes);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& blocks = free_[size];
    if (!blocks.empty()) {
      PinnedBlock block{blocks.back(), size};
      blocks.pop_back();
      return block;
    }
  }
  void* data = nullptr;
  check(cudaHostAlloc(&data, size, cudaHostAllocDefault), "pinned memory for a copy of " + amount(double(bytes)));
  const std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += size;
  return {static_cast<char*>(data), size};
}

void PinnedPool::give(PinnedBlock block) {
  if (!block.data) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  free_[block.bytes].push_back(block.data);
}

size_t PinnedPool::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

void PinnedPool::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [size, blocks] : free_)
    for (char* data : blocks) {
      static_cast<void>(cudaFreeHost(data));
      bytes_ -= size;
    }
  free_.clear();
}
