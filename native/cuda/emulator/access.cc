// Every load and store of a kernel comes here, by the callbacks of -fsanitize=thread, which is compiled into kernel files
// and whose library is not linked.
#include <algorithm>
#include <cstdio>

#include "block.h"
#include "memory.h"

namespace emulator {

namespace {

// A cell is the state of two bytes of shared memory, the smallest element that kernels have. Readers are kept one for
// each of four classes of warps, a later one in the place of an earlier one that it knows of.
constexpr uint32_t kReaders = 4;
constexpr uint32_t kNobody = 0xffffffffu;

enum State : uint8_t { kUnwritten, kWritten, kInFlight };

struct SharedCell {
  State state;
  uint32_t writer, write_tick;
  uint32_t reader[kReaders], read_tick[kReaders];
};

// Of all blocks of a cluster; offsets count from the first one's.
constexpr size_t kSharedAll = kSharedMost * kMostRanks;
alignas(1024) char shared_memory[kSharedAll];
SharedCell shared_cells[kSharedAll / 2];
// Ticks at which the wgmma of each warp has read 16 bytes; operands of wgmma have no smaller parts.
uint32_t operand_reads[kSharedAll / 16][kMostWarps];
bool has_operand_reads = false;
const Range* last_range = nullptr;

std::string hex(const void* p) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", p);
  return text;
}

std::string shared_place(size_t offset) {
  if (offset >= kSharedAll) return "shared byte " + std::to_string(ptrdiff_t(offset));
  const bool is_mine = offset / kSharedMost == block->current_rank();
  return "shared byte " + std::to_string(offset % kSharedMost) + (is_mine ? "" : " of another block of the cluster");
}

std::string thread_name(uint32_t thread) {
  const uint32_t rank = block->rank_of(thread);
  return "thread " + std::to_string(thread - rank * block->size.x) + (rank == block->current_rank() ? "" : " of another block of the cluster");
}

[[noreturn]] void race(const char* what, const std::string& place, const char* other, uint32_t who) {
  const uint32_t threads = uint32_t(block->threads.size());
  const std::string whom = who >= threads + kMbarriers ? "a wgmma of warp " + std::to_string(who - threads - kMbarriers)
                           : who >= threads            ? "an asynchronous copy"
                                                       : thread_name(who);
  fail(std::string(what) + " " + place + ", which " + whom + " " + other + ", with nothing to order the two");
}

void check_shared(const char* p, size_t bytes, const char* what) {
  const size_t offset = size_t(p - shared_memory);
  if (offset >= kSharedAll || offset / kSharedMost >= block->ranks || offset % kSharedMost + bytes > block->shared_bytes)
    fail(std::string(what) + " " + shared_place(offset) + " of " + std::to_string(block->shared_bytes));
}

void read_shared(const char* p, size_t bytes) {
  Block& b = *block;
  check_shared(p, bytes, "reads");
  const size_t offset = size_t(p - shared_memory);
  const uint32_t me = b.current;
  const uint32_t slot = me / kLanes % kReaders;
  for (size_t i = offset / 2; i < (offset + bytes + 1) / 2; i++) {
    SharedCell& c = shared_cells[i];
    if (c.state == kUnwritten) fail("reads " + shared_place(2 * i) + ", which nobody has written");
    if (c.state == kInFlight) fail("reads " + shared_place(2 * i) + " while an asynchronous copy into it is under way");
    if (!b.ordered(c.writer, c.write_tick, me)) race("reads", shared_place(2 * i), "wrote", c.writer);
    c.reader[slot] = me;
    c.read_tick[slot] = b.tick;
  }
}

void may_write_shared(SharedCell& c, size_t at) {
  Block& b = *block;
  const uint32_t me = b.current;
  if (c.state == kInFlight) fail("writes " + shared_place(at) + " while an asynchronous copy into it is under way");
  if (c.state == kWritten && !b.ordered(c.writer, c.write_tick, me)) race("writes", shared_place(at), "wrote", c.writer);
  for (uint32_t r = 0; r < kReaders; r++)
    if (c.reader[r] != kNobody && !b.ordered(c.reader[r], c.read_tick[r], me)) race("writes", shared_place(at), "read", c.reader[r]);
  if (!has_operand_reads) return;
  const uint32_t* reads = operand_reads[at / 16];
  for (uint32_t w = 0; w < b.warps.size(); w++) {
    const uint32_t agent = uint32_t(b.threads.size()) + kMbarriers + w;
    if (reads[w] != 0 && !b.ordered(agent, reads[w], me)) race("writes", shared_place(at), "read", agent);
  }
}

// What ordinary stores wrote is seen by wgmma and the copy engine only behind a fence of the thread that stored.
void check_fence(const SharedCell& c, size_t at, const char* what) {
  if (c.state != kWritten || c.writer >= block->threads.size()) return;
  if (block->threads[c.writer].fenced < c.write_tick)
    fail(std::string(what) + " " + shared_place(at) + ", which thread " + std::to_string(c.writer) +
         " wrote by an ordinary store without fence.proxy.async behind it");
}

void set_written(SharedCell& c, uint32_t writer) {
  c.state = kWritten;
  c.writer = writer;
  c.write_tick = block->tick;
  for (uint32_t& r : c.reader) r = kNobody;
}

void write_shared(const char* p, size_t bytes) {
  check_shared(p, bytes, "writes");
  const size_t offset = size_t(p - shared_memory);
  for (size_t i = offset / 2; i < (offset + bytes + 1) / 2; i++) {
    may_write_shared(shared_cells[i], 2 * i);
    set_written(shared_cells[i], block->current);
  }
}

bool is_inside(const Range& r, const char* p, size_t bytes) { return p >= r.begin && p + bytes <= r.begin + r.bytes; }

void check_global(const char* p, size_t bytes, const char* what) {
  if (last_range && is_inside(*last_range, p, bytes)) return;
  const auto* ranges = block->kernel->ranges;
  if (!ranges) {
    if (!is_allocated(p, bytes)) fail(std::string(what) + " device memory at " + hex(p) + ", which is not allocated");
    return;
  }
  for (const Range& r : *ranges)
    if (is_inside(r, p, bytes)) {
      last_range = &r;
      return;
    }
  std::string near;
  for (size_t i = 0; i < ranges->size(); i++) {
    const Range& r = (*ranges)[i];
    if (p >= r.begin && p < r.begin + r.bytes + 4096)
      near = ", byte " + std::to_string(p - r.begin) + " of range " + std::to_string(i) + ", which has " + std::to_string(r.bytes);
  }
  fail(std::string(what) + " " + std::to_string(bytes) + " bytes of device memory that the call does not bind" + near);
}

GlobalCell* cells(const char* p) { return reinterpret_cast<GlobalCell*>(region_shadow) + (p - region) / 2; }

std::string global_place(const char* p) {
  const auto* ranges = block->kernel->ranges;
  if (ranges)
    for (size_t i = 0; i < ranges->size(); i++)
      if (is_inside((*ranges)[i], p, 1)) return "byte " + std::to_string(p - (*ranges)[i].begin) + " of range " + std::to_string(i);
  return "device memory at " + hex(p);
}

// Whether (block, thread, tick) of this launch is ordered before the current thread.
bool is_before(uint32_t in_block, uint32_t thread, uint32_t tick) {
  return in_block == block->number && block->ordered(thread, tick, block->current);
}

void read_global(const char* p, size_t bytes) {
  check_global(p, bytes, "reads");
  Block& b = *block;
  GlobalCell* c = cells(p);
  for (size_t i = 0; i < (bytes + 1) / 2; i++) {
    GlobalCell& g = c[i];
    if (g.write_launch == b.launch && !is_before(g.write_block, g.write_thread, g.write_tick))
      fail("reads " + global_place(p + 2 * i) + ", which " + (g.write_block == b.number ? "thread " + std::to_string(g.write_thread) : g.write_block == kAtomic ? "an atomic operation" : "block number " + std::to_string(g.write_block)) +
           " wrote in the same launch, with nothing to order the two");
    if (g.read_launch == b.launch && g.read_block != b.number)
      g.read_block = kMany;
    else
      g.read_block = b.number;
    g.read_launch = b.launch;
    g.read_thread = uint16_t(b.current);
    g.read_tick = b.tick;
  }
}

void write_global(const char* p, size_t bytes, bool is_atomic) {
  check_global(p, bytes, "writes");
  Block& b = *block;
  GlobalCell* c = cells(p);
  for (size_t i = 0; i < (bytes + 1) / 2; i++) {
    GlobalCell& g = c[i];
    const bool both_atomic = is_atomic && g.write_block == kAtomic;
    if (g.write_launch == b.launch && !both_atomic && !is_before(g.write_block, g.write_thread, g.write_tick))
      fail("writes " + global_place(p + 2 * i) + ", which " + (g.write_block == b.number ? "thread " + std::to_string(g.write_thread) : "another block") + " wrote in the same launch, with nothing to order the two");
    if (g.read_launch == b.launch && !is_before(g.read_block, g.read_thread, g.read_tick))
      fail("writes " + global_place(p + 2 * i) + ", which " + (g.read_block == b.number ? "thread " + std::to_string(g.read_thread) : "another block") + " read in the same launch, with nothing to order the two");
    g.write_launch = b.launch;
    g.write_block = is_atomic ? kAtomic : b.number;
    g.write_thread = uint16_t(b.current);
    g.write_tick = b.tick;
  }
}

bool is_global(const char* p) { return size_t(p - region) < kRegion; }

void check_alignment(const char* p, size_t bytes, const char* what) {
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) fail(std::string(what) + " " + std::to_string(bytes) + " bytes at " + hex(p) + ", which is not a multiple of them");
}

}  // namespace

bool is_shared(const void* p) { return size_t(static_cast<const char*>(p) - shared_memory) < kSharedAll; }

void begin_launch(const Kernel&) { last_range = nullptr; }

void begin_block(Block& b) {
  b.shared = shared_memory;
  const SharedCell fresh{kUnwritten, kNobody, 0, {kNobody, kNobody, kNobody, kNobody}, {}};
  for (uint32_t r = 0; r < b.ranks; r++) {
    std::memset(b.shared_of(r), 0xff, b.shared_bytes);
    std::fill_n(shared_cells + r * kSharedMost / 2, (b.shared_bytes + 1) / 2, fresh);
  }
  if (has_operand_reads) std::memset(operand_reads, 0, sizeof operand_reads);
  has_operand_reads = false;
}

void read(const void* from, size_t bytes) {
  const char* p = static_cast<const char*>(from);
  if (is_shared(p))
    read_shared(p, bytes);
  else if (is_global(p))
    read_global(p, bytes);
  else if (block->accumulators > 0)
    check_accumulators(p, bytes);
}

void write(void* to, size_t bytes) {
  const char* p = static_cast<const char*>(to);
  if (is_shared(p))
    write_shared(p, bytes);
  else if (is_global(p))
    write_global(p, bytes, false);
  else if (block->accumulators > 0)
    check_accumulators(p, bytes);
}

void atomic(const void* at, size_t bytes) {
  const char* p = static_cast<const char*>(at);
  // in shared memory atomics are kept apart only from what is not atomic by barriers, so no clocks here
  if (is_shared(p))
    check_shared(p, bytes, "adds to");
  else if (is_global(p))
    write_global(p, bytes, true);
}

void begin_copy(void* to, size_t bytes) {
  const char* p = static_cast<const char*>(to);
  check_shared(p, bytes, "copies to");
  const size_t offset = size_t(p - shared_memory);
  for (size_t i = offset / 2; i < (offset + bytes + 1) / 2; i++) {
    may_write_shared(shared_cells[i], 2 * i);
    shared_cells[i].state = kInFlight;
  }
}

void begin_tile(void* to, size_t bytes) {
  const char* p = static_cast<const char*>(to);
  check_shared(p, bytes, "copies a tile to");
  const size_t offset = size_t(p - shared_memory);
  for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) {
    may_write_shared(shared_cells[i], 2 * i);
    check_fence(shared_cells[i], 2 * i, "copies a tile over");
    shared_cells[i].state = kInFlight;
  }
}

void check_operand(const void* from, size_t bytes) {
  const char* p = static_cast<const char*>(from);
  check_shared(p, bytes, "gives wgmma");
  const size_t offset = size_t(p - shared_memory);
  for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) {
    const SharedCell& c = shared_cells[i];
    if (c.state == kUnwritten) fail("gives wgmma " + shared_place(2 * i) + ", which nobody has written");
    if (c.state == kInFlight) fail("gives wgmma " + shared_place(2 * i) + " while an asynchronous copy into it is under way");
    if (!block->ordered(c.writer, c.write_tick, block->current)) race("gives wgmma", shared_place(2 * i), "wrote", c.writer);
    check_fence(c, 2 * i, "gives wgmma");
  }
}

void read_operand(const void* from, size_t bytes, uint32_t issued, uint32_t warp) {
  const size_t offset = size_t(static_cast<const char*>(from) - shared_memory);
  for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) {
    const SharedCell& c = shared_cells[i];
    if (c.state == kInFlight || c.write_tick > issued)
      fail("waits for a wgmma, but " + shared_place(2 * i) + " of its operands was overwritten while it was under way, by " +
           (c.state == kInFlight || c.writer >= block->threads.size() ? "an asynchronous copy" : "thread " + std::to_string(c.writer)));
  }
  has_operand_reads = true;
  for (size_t i = offset / 16; i < (offset + bytes + 15) / 16; i++) operand_reads[i][warp] = block->tick;
}

void end_copy(void* to, size_t bytes, uint32_t writer) {
  const size_t offset = size_t(static_cast<char*>(to) - shared_memory);
  for (size_t i = offset / 2; i < (offset + bytes + 1) / 2; i++) set_written(shared_cells[i], writer);
}

}  // namespace emulator

using emulator::block;

namespace {

inline void on_read(void* p, size_t bytes) {
  if (__builtin_expect(block != nullptr, 0)) emulator::read(p, bytes);
}
inline void on_write(void* p, size_t bytes) {
  if (__builtin_expect(block != nullptr, 0)) emulator::write(p, bytes);
}
inline bool is_device(void* p) {
  return block != nullptr && (emulator::is_shared(p) || emulator::is_global(static_cast<char*>(p)));
}

}  // namespace

extern "C" {

#define HIDDEN __attribute__((visibility("hidden")))
#define SIZED(n)                                                        \
  HIDDEN void __tsan_read##n(void* p) { on_read(p, n); }                \
  HIDDEN void __tsan_write##n(void* p) { on_write(p, n); }              \
  HIDDEN void __tsan_volatile_read##n(void* p) { on_read(p, n); }       \
  HIDDEN void __tsan_volatile_write##n(void* p) { on_write(p, n); }
SIZED(1)
SIZED(2)
SIZED(4)
SIZED(8)
SIZED(16)
// A GPU refuses what is not aligned; x86-64 would not.
#define UNALIGNED(n)                                                    \
  HIDDEN void __tsan_unaligned_read##n(void* p) {                       \
    if (is_device(p)) emulator::check_alignment(static_cast<char*>(p), n, "reads"); \
    on_read(p, n);                                                      \
  }                                                                     \
  HIDDEN void __tsan_unaligned_write##n(void* p) {                      \
    if (is_device(p)) emulator::check_alignment(static_cast<char*>(p), n, "writes"); \
    on_write(p, n);                                                     \
  }
UNALIGNED(2)
UNALIGNED(4)
UNALIGNED(8)
UNALIGNED(16)

HIDDEN void __tsan_init() {}
HIDDEN void __tsan_func_entry(void*) {}
HIDDEN void __tsan_func_exit() {}
HIDDEN void __tsan_vptr_update(void**, void*) {}
HIDDEN void __tsan_vptr_read(void**) {}
HIDDEN void __tsan_read_range(void* p, size_t bytes) { on_read(p, bytes); }
HIDDEN void __tsan_write_range(void* p, size_t bytes) { on_write(p, bytes); }

// Those of the host code in kernel files: reference counts, guards of static variables.
#define ATOMIC(bits)                                                                                                    \
  HIDDEN uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
  HIDDEN void __tsan_atomic##bits##_store(volatile uint##bits##_t* p, uint##bits##_t v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); } \
  HIDDEN uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile uint##bits##_t* p, uint##bits##_t v, int) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); } \
  HIDDEN uint##bits##_t __tsan_atomic##bits##_fetch_sub(volatile uint##bits##_t* p, uint##bits##_t v, int) { return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST); }
ATOMIC(8)
ATOMIC(32)
ATOMIC(64)
}
