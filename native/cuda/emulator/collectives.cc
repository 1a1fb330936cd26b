// What lanes of a warp do together: shuffles, votes, __syncwarp; and the built-in variables.
#include <cmath>

#include "block.h"
#include "language.h"

namespace emulator {

namespace {

struct Exchange {
  uint32_t value, source, result;
};

void exchange(void** payloads, void*) {
  uint32_t values[kLanes];
  for (uint32_t i = 0; i < kLanes; i++) values[i] = static_cast<Exchange*>(payloads[i])->value;
  for (uint32_t i = 0; i < kLanes; i++) {
    Exchange& e = *static_cast<Exchange*>(payloads[i]);
    e.result = values[e.source];
  }
}

uint32_t lane_of_current() { return block->current % kLanes; }

}  // namespace

Index thread_index() { return {block->current - block->current_rank() * block->size.x, 0, 0}; }
Index block_index() { return {block->index.x + block->current_rank(), block->index.y, block->index.z}; }
Index block_size() { return {block->size.x, 1, 1}; }
Index grid_size() { return {block->grid.x, block->grid.y, block->grid.z}; }
char* shared_memory_of_block() { return block->shared_of(block->current_rank()); }

void whole_warp(uint32_t mask) {
  if (mask != 0xffffffffu) fail("comes to a collective with a mask of some lanes; the emulator knows whole warps only");
}

void sync_warp() { meet(Collective::sync, nullptr, nullptr, nullptr); }

uint32_t shuffle(uint32_t value, uint32_t from_lane) {
  Exchange e{value, from_lane % kLanes, 0};
  meet(Collective::shuffle, &e, exchange, nullptr);
  return e.result;
}
uint32_t shuffle_xor(uint32_t value, uint32_t mask) { return shuffle(value, lane_of_current() ^ mask); }
uint32_t shuffle_down(uint32_t value, uint32_t delta) {
  const uint32_t from = lane_of_current() + delta;
  return shuffle(value, from < kLanes ? from : lane_of_current());
}
uint32_t shuffle_up(uint32_t value, uint32_t delta) {
  const uint32_t lane = lane_of_current();
  return shuffle(value, delta <= lane ? lane - delta : lane);
}

uint32_t ballot(bool vote) {
  Exchange e{vote, 0, 0};
  const auto count = [](void** payloads, void*) {
    uint32_t votes = 0;
    for (uint32_t i = 0; i < kLanes; i++) votes |= uint32_t(static_cast<Exchange*>(payloads[i])->value != 0) << i;
    for (uint32_t i = 0; i < kLanes; i++) static_cast<Exchange*>(payloads[i])->result = votes;
  };
  meet(Collective::vote, &e, count, nullptr);
  return e.result;
}

uint32_t add_atomically(uint32_t* at, uint32_t value) {
  atomic(at, 4);
  const uint32_t before = *at;
  *at = before + value;
  pause();
  return before;
}

uint32_t max_atomically(uint32_t* at, uint32_t value) {
  atomic(at, 4);
  const uint32_t before = *at;
  if (value > before) *at = value;
  pause();
  return before;
}

uint32_t round_bf16(float v) {
  uint32_t u;
  std::memcpy(&u, &v, 4);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (u >> 16) | 0x40;
  return (u + 0x7fff + ((u >> 16) & 1)) >> 16;
}

}  // namespace emulator
