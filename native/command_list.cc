#include "command_list.h"

#include <chrono>

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

double now() {
  using namespace std::chrono;
  return double(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

}  // namespace

size_t CommandList::executions() const {
  size_t n = 0;
  for (const Loop& loop : loops) n += loop.count * loop.body.size();
  return n;
}

void CommandList::execute(Team& team, const std::vector<Word>& scalars, Event* events) const {
  const bool record = events && team.rank() == 0;
  const double begin = record ? now() : 0;
  uint32_t first = 0;  // index of the loop's first call
  void* buffers[kMaxSlots];
  Word params[kMaxSlots];
  for (const Loop& loop : loops) {
    for (uint32_t n = 0; n < loop.count; n++) {
      const uint32_t iteration = loop.reverse ? loop.count - 1 - n : n;
      for (size_t c = 0; c < loop.body.size(); c++) {
        const KernelCall& call = loop.body[c];
        for (size_t i = 0; i < call.refs.size(); i++) {
          const BufferRef& r = call.refs[i];
          buffers[i] = r.base + uint64_t((iteration + r.shift) % r.modulo) * r.stride;
        }
        for (size_t i = 0; i < call.params.size(); i++) params[i] = word(call.params[i], scalars, scalar_is_float, iteration);
        const double start = record ? now() : 0;
        call.kernel->run(team, buffers, params);
        if (record) *events++ = {first + uint32_t(c), iteration, start - begin, now() - start};
      }
    }
    first += uint32_t(loop.body.size());
  }
}
