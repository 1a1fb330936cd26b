// Where device memory and its shadow lie.
#pragma once
#include "emulator.h"

namespace emulator {

// Who touched two bytes of device memory in the last launch that did, and when: `block` and `thread` of the write, and of
// the last read. Two blocks have read it if `reader` is kMany.
struct GlobalCell {
  uint32_t write_launch, write_block;
  uint16_t write_thread, read_thread;
  uint32_t write_tick;
  uint32_t read_launch, read_block;
  uint32_t read_tick;
};
constexpr uint32_t kMany = 0xffffffffu;
constexpr uint32_t kAtomic = 0xfffffffeu;

constexpr size_t kRegion = size_t(8) << 30;
extern char* const region;
extern char* const region_shadow;

bool is_allocated(const char* at, size_t bytes);

}  // namespace emulator
