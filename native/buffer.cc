#include "buffer.h"

#include <cstdint>
#include <stdexcept>
#include <string>

#include "pages.h"

Buffer::Buffer(size_t bytes, const char* label) {
  const size_t size = bytes == 0 ? 64 : bytes;
  void* p = map_pages(size);
  if (!p)
    throw std::runtime_error(std::string("not enough memory: ") + label + " needs " + std::to_string(bytes >> 20) + " MiB");
  data_ = static_cast<char*>(p);
  bytes_ = size;
}

void Buffer::release() {
  if (data_) unmap_pages(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
}
