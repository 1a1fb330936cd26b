#include "buffer.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#if defined(__linux__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

// Pages come zeroed from the operating system, and untouched ones cost nothing until the first step; large pages where
// they are to be had, since a step walks through all of it.
Buffer::Buffer(size_t bytes, const char* label) {
  const size_t size = bytes == 0 ? 64 : bytes;
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    throw std::runtime_error(std::string("not enough memory: ") + label + " needs " + std::to_string(bytes >> 20) + " MiB");
#if defined(MADV_HUGEPAGE)
  madvise(p, size, MADV_HUGEPAGE);
#endif
  data_ = static_cast<char*>(p);
  bytes_ = size;
}

void Buffer::release() {
  if (data_) munmap(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
}
