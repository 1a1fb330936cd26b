// A range of device memory: 64-byte aligned, zeroed, counted.
#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>

class Buffer {
 public:
  static constexpr napi_type_tag kTag = {0x62696f616c626572, 2};
  static constexpr const char* kName = "a buffer";
  int64_t external_bytes() const { return int64_t(bytes_); }

  // Throws std::runtime_error that names label and size when the memory is not to be had.
  Buffer(size_t bytes, const char* label);
  ~Buffer() { release(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void release();
  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};
