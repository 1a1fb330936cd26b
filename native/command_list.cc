#include "command_list.h"

#include <algorithm>
#include <chrono>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace {

constexpr size_t kMaxSlots = 32;

Word word(const ParamRef& p, const std::vector<Word>& scalars, const std::vector<bool>& is_float, uint32_t iteration) {
  double v = p.times;
  if (p.scalar == 0) v *= iteration;
  if (p.scalar > 0) v *= is_float[p.scalar - 1] ? double(scalars[p.scalar - 1].f) : double(scalars[p.scalar - 1].u);
  Word w;
  if (p.is_float)
    w.f = float(v);
  else if (v < 0)
    w.i = int32_t(v);
  else
    w.u = uint32_t(v);
  return w;
}

#if defined(__SANITIZE_ADDRESS__)
// Under AddressSanitizer a call may touch nothing of the arenas but the buffers that are bound to it.
class Fence {
 public:
  Fence(Team& team, const std::vector<ArenaRange>& arenas) : team_(team), arenas_(arenas) {}
  ~Fence() {
    if (team_.rank() == 0)
      for (const ArenaRange& a : arenas_) ASAN_UNPOISON_MEMORY_REGION(a.data, a.bytes);
  }
  void before(const KernelCall& call, void* const* buffers) {
    if (team_.rank() == 0) {
      for (const ArenaRange& a : arenas_) ASAN_POISON_MEMORY_REGION(a.data, a.bytes);
      for (size_t i = 0; i < call.refs.size(); i++) ASAN_UNPOISON_MEMORY_REGION(buffers[i], call.refs[i].bytes);
    }
    team_.join();
  }
  void after() { team_.join(); }

 private:
  Team& team_;
  const std::vector<ArenaRange>& arenas_;
};
#else
struct Fence {
  Fence(Team&, const std::vector<ArenaRange>&) {}
  void before(const KernelCall&, void* const*) {}
  void after() {}
};
#endif

}  // namespace

double clock_ns() {
  using namespace std::chrono;
  return double(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

size_t CommandList::executions() const {
  size_t n = 0;
  for (const Loop& loop : loops) n += loop.count * loop.body.size();
  return n;
}

void CommandList::execute(Team& team, const std::vector<Word>& scalars, Reading* readings) const {
  void* buffers[kMaxSlots];
  Word params[kMaxSlots];
  Fence fence(team, arenas);
  for (const Loop& loop : loops) {
    for (uint32_t n = 0; n < loop.count; n++) {
      const uint32_t iteration = loop.reverse ? loop.count - 1 - n : n;
      for (const KernelCall& call : loop.body) {
        for (size_t i = 0; i < call.refs.size(); i++) {
          const BufferRef& r = call.refs[i];
          buffers[i] = r.base + uint64_t((iteration + r.shift) % r.modulo) * r.stride;
        }
        for (size_t i = 0; i < call.params.size(); i++) params[i] = word(call.params[i], scalars, scalar_is_float, iteration);
        fence.before(call, buffers);
        if (readings) readings->start = clock_ns();
        call.kernel->run(team, buffers, params);
        if (readings) (readings++)->end = clock_ns();
        fence.after();
      }
    }
  }
}

std::vector<Event> CommandList::timeline(const std::vector<Reading>& readings, unsigned threads, double begin) const {
  const size_t count = readings.size() / threads;
  std::vector<Event> events;
  events.reserve(count);
  uint32_t first = 0;  // index of the loop's first call
  for (const Loop& loop : loops) {
    for (uint32_t n = 0; n < loop.count; n++) {
      for (uint32_t c = 0; c < loop.body.size(); c++) {
        Reading r = readings[events.size()];
        for (unsigned t = 1; t < threads; t++) {
          const Reading& other = readings[t * count + events.size()];
          r.start = std::min(r.start, other.start);
          r.end = std::min(r.end, other.end);
        }
        events.push_back({first + c, loop.reverse ? loop.count - 1 - n : n, r.start - begin, r.end - r.start});
      }
    }
    first += uint32_t(loop.body.size());
  }
  return events;
}
