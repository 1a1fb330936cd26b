// Device memory of the emulator: first fit in one reserved region of addresses, with gaps between, so that an access past
// the end of a range never falls into another one unseen.
#include <sys/mman.h>

#include <map>
#include <mutex>

#include "memory.h"

namespace emulator {

namespace {

constexpr size_t kGap = 512;

std::mutex guard;
std::map<size_t, size_t> ranges;  // offset: bytes
size_t held = 0;

char* reserve(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<char*>(p);
}

}  // namespace

char* const region = reserve(kRegion);
char* const region_shadow = reserve(kRegion / 2 * sizeof(GlobalCell));

void* allocate(size_t bytes) {
  const std::lock_guard<std::mutex> lock(guard);
  const size_t size = (bytes + 511) / 512 * 512;
  if (!region || !region_shadow || bytes > kRegion || held + size > capacity()) return nullptr;
  size_t at = 0;
  for (const auto& [begin, length] : ranges) {
    if (at + size + kGap <= begin) break;
    at = begin + (length + 511) / 512 * 512 + kGap;
  }
  if (at + size > kRegion) return nullptr;
  ranges[at] = bytes;
  held += bytes;
  return region + at;
}

void release(void* memory) {
  const std::lock_guard<std::mutex> lock(guard);
  const auto found = ranges.find(size_t(static_cast<char*>(memory) - region));
  if (found == ranges.end()) return;
  const size_t size = (found->second + 511) / 512 * 512;
  madvise(memory, size, MADV_DONTNEED);
  madvise(region_shadow + (static_cast<char*>(memory) - region) / 2 * sizeof(GlobalCell), size / 2 * sizeof(GlobalCell), MADV_DONTNEED);
  held -= found->second;
  ranges.erase(found);
}

size_t allocated() {
  const std::lock_guard<std::mutex> lock(guard);
  return held;
}

size_t capacity() { return size_t(4) << 30; }

bool is_allocated(const char* at, size_t bytes) {
  const std::lock_guard<std::mutex> lock(guard);
  const size_t offset = size_t(at - region);
  auto after = ranges.upper_bound(offset);
  if (after == ranges.begin()) return false;
  --after;
  return offset + bytes <= after->first + after->second;
}

}  // namespace emulator
