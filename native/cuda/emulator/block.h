// The state of the block that runs, for the parts of the emulator: threads, who waits for whom, and clocks.
//
// Clocks. `tick` counts moments at which something was ordered. An access is stamped (thread, tick). It happens before what
// thread t does now if one of these knows it: t made it itself; the floor of t's block, the tick of its last __syncthreads; that
// of t's warp, of its last __syncwarp; or t's vector clock, which has the last known tick of every other thread. Vector
// clocks grow by barriers among some threads only, and are kept from the first of these on.
//
// The blocks of a cluster run as one: their threads are numbered one block after the other, and so lies their shared memory.
#pragma once
#include <cstring>
#include <vector>

#include "emulator.h"

namespace emulator {

constexpr uint32_t kLanes = 32;
constexpr uint32_t kMostThreads = 1024;
// Who reads and writes asynchronously, numbered behind the threads: for each mbarrier of a block the copies that complete on
// it, and for each warp its wgmma.
constexpr uint32_t kMbarriers = 128;
constexpr uint32_t kMostWarps = kMostThreads / kLanes;
constexpr uint32_t kAgents = kMbarriers + kMostWarps;
constexpr uint32_t kMostRanks = 2;  // blocks of a cluster
constexpr size_t kSharedMost = 256 * 1024;

enum class Collective : uint8_t { none, sync, shuffle, vote, ldmatrix, stmatrix, mma, wgmma, elect, registers, other };
const char* name_of(Collective);

struct Dim3 {
  uint32_t x, y, z;
};

struct CopyAsync {
  char* to;
  const char* from;
  uint32_t bytes, zeros;
};

struct Thread {
  void* stack_pointer;
  Dim3 index;
  uint32_t id;
  bool ended;
  const char* waits;  // for what, or null
  // cp.async: groups that were committed, oldest first, and the one that is open
  std::vector<std::vector<CopyAsync>> groups;
  std::vector<CopyAsync> open;
  uint32_t fenced;       // tick of the last fence.proxy.async
  uint32_t fenced_init;  // tick of the last fence of mbarriers' initialisation
};

struct Warp {
  Collective kind;
  uint32_t arrived;
  void* payload[kLanes];
  uint32_t floor;
};

struct Barrier {
  uint32_t expected, arrived;
  std::vector<uint32_t> waiting;  // threads
  std::vector<uint32_t> clock;    // joined vector clocks
};

// What each block of a cluster has for itself.
struct Rank {
  Barrier whole;
  Barrier named[16];
  uint32_t live, floor;
};

struct Block {
  const Kernel* kernel;
  Dim3 index, grid, size;  // the index is that of the first of the cluster
  uint32_t number;         // of the first in the grid
  uint32_t ranks;
  uint32_t launch;  // of the grid in the process
  char* shared;
  size_t shared_bytes;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<uint32_t> ready;
  Rank rank[kMostRanks];
  Barrier cluster;
  uint32_t current;
  uint32_t tick;
  bool has_clocks;
  std::vector<uint32_t> clocks;  // [thread][thread or agent]
  uint64_t random;
  uint32_t accumulators;  // sets of registers that belong to wgmma under way
  std::string failure;
  void* scheduler;

  uint32_t clock_width() const { return uint32_t(threads.size()) + kAgents; }
  uint32_t* clock_of(uint32_t thread) { return clocks.data() + size_t(thread) * clock_width(); }
  uint32_t rank_of(uint32_t thread) const { return ranks == 1 ? 0 : thread / size.x; }
  uint32_t current_rank() const { return rank_of(current); }
  char* shared_of(uint32_t of_rank) const { return shared + of_rank * kSharedMost; }
  // Whether an access stamped (who, when) happened before what `thread` does now.
  bool ordered(uint32_t who, uint32_t when, uint32_t thread) {
    if (who == thread) return true;
    if (ranks == 1) {
      if (when <= rank[0].floor) return true;
    } else if (who < threads.size() && rank_of(who) == rank_of(thread) && when <= rank[rank_of(who)].floor) {
      return true;
    }
    if (who < threads.size() && who / kLanes == thread / kLanes && when <= warps[who / kLanes].floor) return true;
    return has_clocks && clock_of(thread)[who] >= when;
  }
};

// The block that runs on this thread of the process, null between launches. initial-exec: read at every access.
extern thread_local Block* block __attribute__((tls_model("initial-exec")));

inline Thread& current() { return block->threads[block->current]; }

// Ends the launch: throws a Violation that names kernel, block and thread in front of `what`.
[[noreturn]] void fail(const std::string& what);

// Lets others run until somebody wakes this thread.
void wait(const char* what);
void wake(uint32_t thread);
// Lets others run first, if there are any.
void pause();
uint32_t draw(uint32_t below);

// Makes `to` know what `from` knows, and `from`'s own accesses up to now; vector clocks of clock_width().
void release_into(std::vector<uint32_t>& to, uint32_t from);
void acquire_from(const std::vector<uint32_t>& from, uint32_t to);
void start_clocks();

// All lanes of the warp call it with the same kind; the last one to come calls `finish(payloads)`, then all go on.
void meet(Collective kind, void* payload, void (*finish)(void** payloads, void* context), void* context);

// Checks and shadow memory of accesses by the current thread (access.cc).
void read(const void* from, size_t bytes);
void write(void* to, size_t bytes);
void atomic(const void* at, size_t bytes);
// Marks shared memory as the target of a copy under way; `write` may come only after `arrive`.
void begin_copy(void* to, size_t bytes);
void end_copy(void* to, size_t bytes, uint32_t writer);
// The same for copies by the copy engine: what ordinary stores wrote there must have been fenced.
void begin_tile(void* to, size_t bytes);
// An operand of wgmma: `check_operand` when it is issued by the current thread, `read_operand` when it is executed, which
// finds what was written since.
void check_operand(const void* from, size_t bytes);
void read_operand(const void* from, size_t bytes, uint32_t issued, uint32_t warp);
bool is_shared(const void* p);
void begin_block(Block& b);
void begin_launch(const Kernel& kernel);

// The state behind hopper.h (hopper.cc).
void begin_hopper(Block& b);
void end_hopper();
// Fails if the current thread's [p, p + bytes) are accumulators of wgmma under way.
void check_accumulators(const void* p, size_t bytes);

}  // namespace emulator
