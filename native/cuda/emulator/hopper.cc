// mbarriers and the copy engine; what a warp does alone on sm_90 (elect, setmaxnreg, stmatrix). wgmma is in wgmma.cc.
//
// A copy takes place when somebody waits for the phase of the mbarrier that it completes; until then its target is in flight.
// It is an agent of its own: who has not waited for the phase does not know of it.
#include "hopper.h"

#include <algorithm>
#include <deque>

#include "block.h"
#include "record.h"

namespace emulator {

namespace {

constexpr uint32_t kWindow = 1024;  // where shared memory of a kernel begins on a chip of sm_90
constexpr uint32_t kRegisters = 65536 / kLanes;

struct Tile {
  char* to;
  TensorLayout layout;
  int32_t at[3];
  uint32_t bytes, issuer;
};

struct State {
  char* at;
  uint32_t count, pending, phase;
  uint64_t expected;
  uint32_t init_thread, init_tick;
  bool valid;
  std::vector<Tile> tiles;
  std::vector<uint32_t> clock, ended;  // of the arrivals of this phase; of the one before
  std::vector<uint32_t> waiting;       // threads
};

struct Hopper {
  std::vector<State> barriers;
  uint32_t elected[kMostWarps];
  uint32_t registers[kMostWarps];
  std::vector<uint32_t> want_registers;  // threads
  std::string waits[kMostThreads];
  uint32_t vain;  // mbarrier_try_wait that found nothing, one after the other
};
Hopper state;

uint32_t offset_of(const void* p) { return uint32_t(size_t(static_cast<const char*>(p) - block->shared) % kSharedMost); }
uint32_t rank_with(const void* p) { return uint32_t(size_t(static_cast<const char*>(p) - block->shared) / kSharedMost); }

std::string name(const State& m) {
  return "the mbarrier at shared byte " + std::to_string(offset_of(m.at)) + (rank_with(m.at) == block->current_rank() ? "" : " of another block");
}

void need_hopper() {
  if (chip().capability < 90) fail("comes to an instruction of sm_90 on a chip of " + std::to_string(chip().capability));
}

State& find(void* barrier, const char* what) {
  for (State& m : state.barriers)
    if (m.valid && m.at == barrier) {
      read(barrier, 8);  // of what its initialisation wrote
      return m;
    }
  fail(std::string(what) + " shared byte " + std::to_string(offset_of(barrier)) + ", where no mbarrier was initialised");
}

uint32_t swizzled(uint32_t address, uint32_t row_bytes) {
  const uint32_t mask = row_bytes / 16 - 1;
  return address ^ (address >> 7 & mask) << 4;
}

void copy(const Tile& t, uint32_t agent) {
  const TensorLayout& l = t.layout;
  const int64_t element = l.is_float ? 4 : 2;
  const uint32_t row_bytes = uint32_t(l.box[0] * element);
  const uint32_t span = l.swizzle == Swizzle::none ? 16 : 16u << uint32_t(l.swizzle);
  const uint32_t me = block->current;
  char row[1024];
  block->current = t.issuer;
  for (uint32_t z = 0; z < l.box[2]; z++)
    for (uint32_t y = 0; y < l.box[1]; y++) {
      std::memset(row, 0, row_bytes);
      const int64_t at_z = t.at[2] + int64_t(z), at_y = t.at[1] + int64_t(y);
      const int64_t begin = std::max<int64_t>(t.at[0], 0), end = std::min<int64_t>(t.at[0] + int64_t(l.box[0]), int64_t(l.size[0]));
      if (at_z >= 0 && at_z < int64_t(l.size[2]) && at_y >= 0 && at_y < int64_t(l.size[1]) && begin < end) {
        const char* from = static_cast<const char*>(l.at) + at_z * int64_t(l.stride[1]) + at_y * int64_t(l.stride[0]) + begin * element;
        read(from, size_t((end - begin) * element));
        std::memcpy(row + (begin - t.at[0]) * element, from, size_t((end - begin) * element));
      }
      const uint32_t to = offset_of(t.to) + (z * l.box[1] + y) * row_bytes;
      for (uint32_t c = 0; c < row_bytes; c += 16) std::memcpy(block->shared_of(rank_with(t.to)) + swizzled(to + c, span), row + c, 16);
    }
  block->current = me;
  end_copy(t.to, t.bytes, agent);
}

// Ends the phase if all have arrived and the bytes that it expects are under way, which then arrive.
bool end_phase(State& m) {
  if (m.pending > 0) return false;
  uint64_t bytes = 0;
  for (const Tile& t : m.tiles) bytes += t.bytes;
  if (bytes > m.expected)
    fail("comes to " + name(m) + ", on which tiles of " + std::to_string(bytes) + " bytes complete, but which expects " + std::to_string(m.expected));
  if (bytes < m.expected) return false;
  Block& b = *block;
  start_clocks();
  if (m.clock.size() < b.clock_width()) m.clock.assign(b.clock_width(), 0);
  const uint32_t agent = uint32_t(b.threads.size() + size_t(&m - state.barriers.data()));
  for (const Tile& t : m.tiles) copy(t, agent);
  if (!m.tiles.empty()) m.clock[agent] = b.tick++;
  m.tiles.clear();
  m.expected = 0;
  m.pending = m.count;
  m.phase++;
  m.ended.swap(m.clock);
  m.clock.clear();
  for (uint32_t t : m.waiting) acquire_from(m.ended, t), wake(t);
  m.waiting.clear();
  return true;
}

}  // namespace

// ---------------------------------------------------------------- mbarriers

void mbarrier_init(void* barrier, uint32_t count) {
  need_hopper();
  if (!is_shared(barrier) || offset_of(barrier) % 8 != 0) fail("initialises an mbarrier that is not 8 bytes of shared memory");
  if (count == 0 || count >= 1u << 20) fail("initialises an mbarrier for " + std::to_string(count) + " arrivals");
  write(barrier, 8);
  State* at = nullptr;
  for (State& m : state.barriers)
    if (m.at == barrier) at = &m;
  if (at && at->valid) fail("initialises " + name(*at) + " again (mbarrier_invalidate first)");
  if (!at) {
    if (state.barriers.size() == kMbarriers) fail("initialises more than " + std::to_string(kMbarriers) + " mbarriers");
    at = &state.barriers.emplace_back();
  }
  *at = State{static_cast<char*>(barrier), count, count, 0, 0, block->current, block->tick, true, {}, {}, {}, {}};
}

void mbarrier_fence_init() { current().fenced_init = block->tick++; }

void mbarrier_invalidate(void* barrier) {
  State& m = find(barrier, "invalidates");
  if (!m.tiles.empty() || !m.waiting.empty()) fail("invalidates " + name(m) + " while copies or threads depend on it");
  write(barrier, 8);
  m.valid = false;
}

void mbarrier_arrive(void* barrier, uint32_t expected_bytes) {
  State& m = find(barrier, "arrives at");
  if (m.pending == 0 && !end_phase(m))
    fail("arrives at " + name(m) + ", where all " + std::to_string(m.count) + " have arrived, but whose bytes are not under way");
  release_into(m.clock, block->current);
  m.expected += expected_bytes;
  m.pending--;
  if (m.expected == 0 || !m.waiting.empty()) end_phase(m);
  pause();
}

// The same place in another block of the cluster.
static char* in_rank(void* p, uint32_t rank) {
  if (rank >= block->ranks || !is_shared(p)) fail("reaches for block " + std::to_string(rank) + " of a cluster of " + std::to_string(block->ranks));
  if (block->rank[rank].live == 0) fail("reaches for block " + std::to_string(rank) + " of its cluster, which has ended");
  return block->shared_of(rank) + offset_of(p);
}

void mbarrier_arrive_in(void* barrier, uint32_t rank) { mbarrier_arrive(in_rank(barrier, rank), 0); }

bool mbarrier_try_wait(void* barrier, uint32_t parity) {
  State& m = find(barrier, "waits at");
  if (parity > 1) fail("waits at " + name(m) + " for parity " + std::to_string(parity));
  if (m.phase % 2 == parity) end_phase(m);
  const bool ended = m.phase % 2 != parity;
  if (ended && m.phase > 0) acquire_from(m.ended, block->current);
  state.vain = ended ? 0 : state.vain + 1;
  if (state.vain > 1000000) fail("waits in vain at " + name(m) + ", parity " + std::to_string(parity));
  pause();
  return ended;
}

void mbarrier_wait(void* barrier, uint32_t parity) {
  State& m = find(barrier, "waits at");
  if (parity > 1) fail("waits at " + name(m) + " for parity " + std::to_string(parity));
  if (m.phase % 2 == parity) end_phase(m);
  if (m.phase % 2 != parity) {
    if (m.phase > 0) acquire_from(m.ended, block->current);
    return pause();
  }
  m.waiting.push_back(block->current);
  std::string& text = state.waits[block->current];
  text = name(m) + ", parity " + std::to_string(parity);
  wait(text.c_str());
}

void fence_async() { current().fenced = block->tick++; }

// ---------------------------------------------------------------- the copy engine

void tma_load(void* shared, const TensorMap& map, void* barrier, uint32_t rank, const int32_t* at, uint32_t ranks) {
  if (ranks == 0) ranks = 1u << block->current_rank();
  Tile t{static_cast<char*>(shared), {}, {0, 0, 0}, 0, block->current};
  std::memcpy(static_cast<void*>(&t.layout), map.words, sizeof t.layout);
  TensorLayout& l = t.layout;
  if (l.rank != rank) fail("copies a tile of " + std::to_string(rank) + " dimensions of a tensor of " + std::to_string(l.rank));
  for (uint32_t i = 0; i < rank; i++) t.at[i] = at[i];
  for (uint32_t i = rank; i < 3; i++) l.size[i] = l.box[i] = 1;
  const uint32_t row = l.box[0] * (l.is_float ? 4 : 2);
  const uint32_t span = 16u << uint32_t(l.swizzle);
  if (l.swizzle != Swizzle::none && row != span)
    fail("copies a tile with rows of " + std::to_string(row) + " bytes, the emulator knows those of the swizzle's " + std::to_string(span) + " only");
  const uint32_t alignment = l.swizzle == Swizzle::none ? 128 : 8 * span;
  if (!is_shared(shared) || offset_of(shared) % alignment != 0)
    fail("copies a tile to shared byte " + std::to_string(offset_of(shared)) + " (want a multiple of " + std::to_string(alignment) + ")");
  t.bytes = row * l.box[1] * l.box[2];
  for (uint32_t r = 0; ranks >> r != 0; r++) {
    if ((ranks >> r & 1) == 0) continue;
    State& m = find(in_rank(barrier, r), "copies a tile for");
    const Thread& initialiser = block->threads[m.init_thread];
    if (std::max(initialiser.fenced, initialiser.fenced_init) < m.init_tick)
      fail("copies a tile for " + name(m) + ", which was initialised without a fence behind it (mbarrier_fence_init)");
    if (m.pending == 0 && m.expected > 0) end_phase(m);
    t.to = in_rank(shared, r);
    begin_tile(t.to, t.bytes);
    m.tiles.push_back(t);
    if (!m.waiting.empty()) end_phase(m);
  }
  pause();
}

uint32_t cluster_rank() { return block->current_rank(); }

// ---------------------------------------------------------------- warps

bool elect_one() {
  need_hopper();
  meet(Collective::elect, nullptr, nullptr, nullptr);
  return block->current % kLanes == state.elected[block->current / kLanes];
}

void registers(uint32_t count, bool raise) {
  Block& b = *block;
  const uint32_t warp = b.current / kLanes;
  meet(Collective::registers, nullptr, nullptr, nullptr);
  uint32_t& mine = state.registers[warp];
  if (raise ? mine > count : mine < count)
    if (b.current % kLanes == 0)
      fail(std::string(raise ? "raises" : "lowers") + " its registers from " + std::to_string(mine) + " to " + std::to_string(count));
  while (mine != count) {
    uint32_t others = 0;
    const uint32_t first = b.current_rank() * b.size.x / kLanes;
    for (uint32_t w = first; w < first + b.size.x / kLanes; w++) others += w == warp ? 0 : state.registers[w];
    if (others + count <= kRegisters) {
      mine = count;
      for (uint32_t t : state.want_registers) wake(t);
      state.want_registers.clear();
    } else {
      state.want_registers.push_back(b.current);
      wait("setmaxnreg");
    }
  }
}

void stmatrix(void* row, const uint32_t (&r)[4]) {
  if (!is_shared(row) || offset_of(row) % 16 != 0) fail("gives stmatrix an address that is not a 16-byte row of shared memory");
  write(row, 16);
  struct Store {
    char* row;
    const uint32_t* r;
  } store{static_cast<char*>(row), r};
  const auto finish = [](void** payloads, void*) {
    for (uint32_t lane = 0; lane < kLanes; lane++) {
      const Store& from = *static_cast<Store*>(payloads[lane]);
      for (uint32_t m = 0; m < 4; m++)
        std::memcpy(static_cast<Store*>(payloads[8 * m + lane / 4])->row + 4 * (lane % 4), &from.r[m], 4);
    }
  };
  meet(Collective::stmatrix, &store, finish, nullptr);
}

uint32_t shared_address(const void* p) { return kWindow + offset_of(p); }

// ---------------------------------------------------------------- blocks

void begin_wgmma(Block& b);
void end_wgmma();

void begin_hopper(Block& b) {
  state.barriers.clear();
  state.barriers.reserve(kMbarriers);
  state.want_registers.clear();
  state.vain = 0;
  for (uint32_t w = 0; w < b.warps.size(); w++) {
    state.elected[w] = draw(kLanes);
    state.registers[w] = std::min(65536 / b.size.x / 8 * 8, 255u);
  }
  begin_wgmma(b);
}

void end_hopper() {
  for (const State& m : state.barriers)
    if (m.valid && !m.tiles.empty()) fail("ends last, while a tile is under way for " + name(m));
  for (uint32_t w = 0; w < block->warps.size(); w++)
    if (state.registers[w] != state.registers[w / 4 * 4]) fail("ends last, but setmaxnreg was not that of a whole warpgroup in warp " + std::to_string(w));
  end_wgmma();
}

}  // namespace emulator
