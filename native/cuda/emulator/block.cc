// Blocks: threads, the scheduler, barriers and the collectives of a warp.
#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "fiber.h"

namespace emulator {

thread_local Block* block __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

constexpr size_t kStack = 128 * 1024;

std::mutex one_at_a_time;
uint64_t seed = [] {
  const char* given = std::getenv("BIOALBERT_EMULATED_SEED");
  return given ? std::strtoull(given, nullptr, 10) : 1;
}();
uint32_t launches = 0;

// Kernels whose blocks come in clusters. Launches are recorded while others run.
std::mutex clusters_guard;
std::map<const void*, uint32_t> clusters;

uint32_t cluster_of(const Kernel& kernel) {
  const std::lock_guard<std::mutex> lock(clusters_guard);
  const auto found = clusters.find(*static_cast<const void* const*>(kernel.arguments[0]));
  return found == clusters.end() ? 1 : found->second;
}

char* stacks() {
  static char* memory = [] {
    void* p = mmap(nullptr, kStack * kMostThreads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::runtime_error("emulator: no memory for stacks");
    return static_cast<char*>(p);
  }();
  return memory;
}

uint64_t next(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// Goes on with a thread that is ready, or with the scheduler when there is none.
void leave(void** save) {
  Block& b = *block;
  if (b.ready.empty() || !b.failure.empty()) return bioalbert_switch(save, b.scheduler);
  const uint32_t i = draw(uint32_t(b.ready.size()));
  const uint32_t me = b.current;
  b.current = b.ready[i];
  b.ready[i] = b.ready.back();
  b.ready.pop_back();
  if (save == &b.threads[me].stack_pointer && b.current == me) return;  // its stack pointer is not saved yet
  bioalbert_switch(save, current().stack_pointer);
}

void thread_main() {
  Block& b = *block;
  try {
    b.kernel->invoke(b.kernel->arguments);
    Thread& t = current();
    if (!t.open.empty() || !t.groups.empty()) fail("ends while its asynchronous copies are under way");
    t.ended = true;
    Rank& r = b.rank[b.current_rank()];
    r.live--;
    if (r.whole.arrived > 0) fail("ends while others wait at __syncthreads");
    if (b.cluster.arrived > 0) fail("ends while others wait for its cluster");
    if (b.warps[t.id / kLanes].arrived > 0) fail("ends while lanes of its warp wait for it");
  } catch (const Violation& v) {
    if (b.failure.empty()) b.failure = v.what();
    current().ended = true;
  }
  void* nowhere;
  leave(&nowhere);
  std::abort();
}

std::string text_of(const Dim3& d, uint32_t rank) {
  return "(" + std::to_string(d.x + rank) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

// Every thread of [first, end) knows what all of them know.
void join(uint32_t first, uint32_t end) {
  std::vector<uint32_t> joined;
  for (uint32_t t = first; t < end; t++) release_into(joined, t);
  for (uint32_t t = first; t < end; t++) acquire_from(joined, t);
}

void run_block(Block& b) {
  b.tick = 1;
  b.has_clocks = false;
  for (Rank& r : b.rank) {
    r.floor = 0;
    r.live = b.size.x;
    r.whole = Barrier{b.size.x, 0, {}, {}};
    for (Barrier& n : r.named) n = Barrier{0, 0, {}, {}};
  }
  b.cluster = Barrier{b.size.x * b.ranks, 0, {}, {}};
  b.failure.clear();
  b.ready.clear();
  for (uint32_t t = 0; t < b.threads.size(); t++) {
    Thread& thread = b.threads[t];
    thread.id = t;
    thread.ended = false;
    thread.waits = nullptr;
    thread.groups.clear();
    thread.open.clear();
    thread.fenced = 0;
    thread.fenced_init = 0;
    thread.stack_pointer = prepare_stack(stacks() + kStack * t, kStack, thread_main);
    b.ready.push_back(t);
  }
  for (Warp& w : b.warps) w = Warp{Collective::none, 0, {}, 0};
  begin_block(b);
  begin_hopper(b);
  leave(&b.scheduler);
  if (!b.failure.empty()) throw Violation(b.failure);
  uint32_t live = 0;
  for (uint32_t r = 0; r < b.ranks; r++) live += b.rank[r].live;
  if (live == 0) return end_hopper();
  // nobody is ready: each waits for what will not come
  std::string waiting;
  for (const Thread& t : b.threads)
    if (!t.ended && waiting.size() < 300)
      waiting += (waiting.empty() ? "thread " : ", thread ") + std::to_string(t.id) + " at " + (t.waits ? t.waits : "nothing");
  throw Violation("block " + text_of(b.index, 0) + ": deadlock, " + std::to_string(live) + " threads wait: " + waiting);
}

}  // namespace

void set_seed(uint64_t value) { seed = value; }

void set_cluster(const void* kernel, uint32_t blocks) {
  const std::lock_guard<std::mutex> lock(clusters_guard);
  clusters[kernel] = blocks;
}

const char* name_of(Collective kind) {
  switch (kind) {
    case Collective::none: return "nothing";
    case Collective::sync: return "__syncwarp";
    case Collective::shuffle: return "a shuffle";
    case Collective::vote: return "a vote";
    case Collective::ldmatrix: return "ldmatrix";
    case Collective::stmatrix: return "stmatrix";
    case Collective::mma: return "mma";
    case Collective::wgmma: return "wgmma";
    case Collective::elect: return "elect";
    case Collective::registers: return "setmaxnreg";
    case Collective::other: break;
  }
  return "a collective of the warp";
}

uint32_t draw(uint32_t below) { return below < 2 ? 0 : uint32_t((next(block->random) >> 20) % below); }

void fail(const std::string& what) {
  const uint32_t rank = block->current_rank();
  throw Violation("block " + text_of(block->index, rank) + " thread " + std::to_string(block->current - rank * block->size.x) + " " + what);
}

void wait(const char* what) {
  Block& b = *block;
  const uint32_t me = b.current;
  b.threads[me].waits = what;
  leave(&b.threads[me].stack_pointer);
  b.threads[me].waits = nullptr;
}

void wake(uint32_t thread) { block->ready.push_back(thread); }

void pause() {
  Block& b = *block;
  if (b.ready.empty()) return;
  wake(b.current);
  wait("nothing");
}

void start_clocks() {
  Block& b = *block;
  if (b.has_clocks) return;
  b.has_clocks = true;
  b.clocks.assign(size_t(b.threads.size()) * b.clock_width(), 0);
}

void release_into(std::vector<uint32_t>& to, uint32_t from) {
  start_clocks();
  Block& b = *block;
  const uint32_t width = b.clock_width();
  if (to.size() < width) to.assign(width, 0);
  const uint32_t* known = b.clock_of(from);
  for (uint32_t i = 0; i < width; i++) to[i] = std::max(to[i], known[i]);
  const uint32_t first = from / kLanes * kLanes;
  for (uint32_t i = first; i < first + kLanes; i++) to[i] = std::max(to[i], b.warps[from / kLanes].floor);
  if (b.ranks > 1) {
    const uint32_t rank = b.rank_of(from);
    for (uint32_t i = rank * b.size.x; i < (rank + 1) * b.size.x; i++) to[i] = std::max(to[i], b.rank[rank].floor);
  }
  to[from] = b.tick;
  b.tick++;
}

void acquire_from(const std::vector<uint32_t>& from, uint32_t to) {
  start_clocks();
  Block& b = *block;
  uint32_t* known = b.clock_of(to);
  for (size_t i = 0; i < from.size(); i++) known[i] = std::max(known[i], from[i]);
}

void meet(Collective kind, void* payload, void (*finish)(void**, void*), void* context) {
  Block& b = *block;
  const uint32_t me = b.current;
  Warp& w = b.warps[me / kLanes];
  if (w.arrived == 0) w.kind = kind;
  if (w.kind != kind) fail(std::string("comes to ") + name_of(kind) + " while lanes of its warp are at " + name_of(w.kind));
  w.payload[me % kLanes] = payload;
  if (++w.arrived < kLanes) return wait(name_of(kind));
  if (finish) finish(w.payload, context);
  w.arrived = 0;
  w.kind = Collective::none;
  const uint32_t first = me / kLanes * kLanes;
  if (kind == Collective::sync) {
    if (b.has_clocks) join(first, first + kLanes);
    w.floor = b.tick++;
  }
  for (uint32_t t = first; t < first + kLanes; t++)
    if (t != me) wake(t);
  pause();  // the last to come must not always be the first to go
}

void sync_threads() {
  Block& b = *block;
  const uint32_t me = b.current;
  Rank& r = b.rank[b.current_rank()];
  if (r.live < b.size.x) fail("comes to __syncthreads, but " + std::to_string(b.size.x - r.live) + " threads have ended");
  if (++r.whole.arrived < b.size.x) {
    r.whole.waiting.push_back(me);
    return wait("__syncthreads");
  }
  r.whole.arrived = 0;
  if (b.ranks > 1 && b.has_clocks) join(b.current_rank() * b.size.x, (b.current_rank() + 1) * b.size.x);
  r.floor = b.tick++;
  for (uint32_t t : r.whole.waiting) wake(t);
  r.whole.waiting.clear();
  pause();
}

void sync_cluster() {
  Block& b = *block;
  for (uint32_t r = 0; r < b.ranks; r++)
    if (b.rank[r].live < b.size.x) fail("waits for its cluster, but threads of block " + text_of(b.index, r) + " have ended");
  if (++b.cluster.arrived < b.cluster.expected) {
    b.cluster.waiting.push_back(b.current);
    return wait("the barrier of its cluster");
  }
  b.cluster.arrived = 0;
  join(0, uint32_t(b.threads.size()));
  for (uint32_t t : b.cluster.waiting) wake(t);
  b.cluster.waiting.clear();
  pause();
}

void named_barrier(uint32_t id, uint32_t count, bool waits) {
  Block& b = *block;
  const uint32_t me = b.current;
  if (id >= 16 || count == 0 || count % kLanes != 0 || count > b.size.x)
    fail("comes to barrier " + std::to_string(id) + " of " + std::to_string(count) + " threads");
  Barrier& n = b.rank[b.current_rank()].named[id];
  if (n.arrived == 0) n.expected = count, n.clock.clear();
  if (n.expected != count)
    fail("comes to barrier " + std::to_string(id) + " with " + std::to_string(count) + " threads, others with " + std::to_string(n.expected));
  release_into(n.clock, me);
  n.arrived++;
  if (n.arrived < count) {
    if (!waits) return;
    n.waiting.push_back(me);
    return wait("a named barrier");
  }
  n.arrived = 0;
  const std::vector<uint32_t> waiting = std::move(n.waiting);
  n.waiting.clear();
  const std::vector<uint32_t> clock = n.clock;
  for (uint32_t t : waiting) acquire_from(clock, t), wake(t);
  if (waits) acquire_from(clock, me);
  pause();
}

Chip chip() {
  const char* given = std::getenv("BIOALBERT_EMULATED_CAPABILITY");
  const int capability = given ? std::atoi(given) : 90;
  return {capability, 4, capability >= 90 ? size_t(227) * 1024 : size_t(163) * 1024};
}

void run(const Kernel& kernel) {
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  if (kernel.threads == 0 || kernel.threads % kLanes != 0 || kernel.threads > kMostThreads)
    throw Violation("a block of " + std::to_string(kernel.threads) + " threads (want a multiple of 32, at most 1024)");
  if (kernel.shared > chip().shared_bytes)
    throw Violation(std::to_string(kernel.shared) + " bytes of shared memory (a block has at most " + std::to_string(chip().shared_bytes) + ")");
  // kept: its vectors are large
  static Block* const kept = new Block();
  Block& b = *kept;
  b.kernel = &kernel;
  b.grid = {kernel.grid[0], kernel.grid[1], kernel.grid[2]};
  b.size = {kernel.threads, 1, 1};
  b.shared_bytes = kernel.shared;
  b.launch = ++launches;
  b.ranks = cluster_of(kernel);
  if (b.ranks == 0 || b.ranks > kMostRanks || kernel.grid[0] % b.ranks != 0 || kernel.threads * b.ranks > kMostThreads ||
      (b.ranks > 1 && kernel.threads % (4 * kLanes) != 0))
    throw Violation("clusters of " + std::to_string(b.ranks) + " blocks of " + std::to_string(kernel.threads) + " threads in a grid of " + std::to_string(kernel.grid[0]));
  b.threads.resize(kernel.threads * b.ranks);
  b.warps.resize(kernel.threads * b.ranks / kLanes);
  b.random = (seed + 0x9e3779b97f4a7c15u) * (2 * uint64_t(b.launch) + 1);
  begin_launch(kernel);
  std::vector<uint32_t> order(b.grid.x * b.grid.y * b.grid.z / b.ranks);
  for (uint32_t i = 0; i < order.size(); i++) order[i] = i * b.ranks;
  for (uint32_t i = uint32_t(order.size()); i > 1; i--) std::swap(order[i - 1], order[(next(b.random) >> 20) % i]);
  struct Leave {
    ~Leave() { block = nullptr; }
  } leave_block;
  block = &b;
  for (uint32_t i : order) {
    b.number = i;
    b.index = {i % b.grid.x, i / b.grid.x % b.grid.y, i / b.grid.x / b.grid.y};
    run_block(b);
  }
}

}  // namespace emulator
