// Ranges that a profiler of the GPU shows (nsys): one around the submission of each run, with the program's name. Nothing
// where the toolkit has no NVTX, or nobody listens.
#pragma once
#include <string>

#if !defined(BIOALBERT_EMULATED) && __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define BIOALBERT_NVTX
#endif

namespace nvtx {

// None around what has no name.
class Range {
 public:
  explicit Range(const std::string& name) : is_open_(!name.empty()) {
#if defined(BIOALBERT_NVTX)
    if (is_open_) nvtxRangePushA(name.c_str());
#endif
  }
  ~Range() {
#if defined(BIOALBERT_NVTX)
    if (is_open_) nvtxRangePop();
#endif
  }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

 private:
  bool is_open_;
};

}  // namespace nvtx
