// wgmma: operands are found in shared memory by the bits of their descriptors, as a chip does, so what is wrong there gives
// wrong numbers. A warp's part of a product (its 16 rows) is computed when the warp waits for it; until then its accumulators
// lie here, and the registers hold NaN.
#include <algorithm>
#include <deque>

#include "block.h"
#include "hopper.h"

namespace emulator {

namespace {

constexpr uint32_t kWindow = 1024;
constexpr uint32_t kMostN = 256;

struct Operand {
  uint32_t start, leading, stride, span;
  bool is_mn;
};

// Registers that belong to products under way.
struct Accumulators {
  float* registers[kLanes];
  uint32_t n, products;
  std::vector<float> values;  // [row][column] of the warp's 16 rows
};

struct Product {
  uint32_t n;
  bool a_in_registers, accumulate;
  uint64_t descriptor_a, descriptor_b;
  bool a_is_mn, b_is_mn;
  uint16_t a[16][16];  // of registers
  uint32_t issued;
  Accumulators* d;
};

struct WarpState {
  std::deque<Accumulators> accumulators;
  std::vector<Product> open;
  std::deque<std::vector<Product>> groups;
  bool fenced;
  uint64_t log;  // of what was issued, the same in all warps of a warpgroup
};
WarpState warps[kMostWarps];

enum What : uint32_t { kFence, kCommit, kWait, kProduct };

struct Call {
  What what;
  int left;
  float* d;
  uint32_t n;
  const uint32_t* a;
  uint64_t descriptor_a, descriptor_b;
  bool a_is_mn, b_is_mn, accumulate;
};

uint32_t warp_of_current() { return block->current / kLanes; }

float to_float(uint16_t bits) {
  const uint32_t u = uint32_t(bits) << 16;
  float v;
  std::memcpy(&v, &u, 4);
  return v;
}

Operand decode(uint64_t descriptor, bool is_mn, const char* which) {
  const auto field = [&](int from) { return uint32_t(descriptor >> from & 0x3fff) << 4; };
  const uint32_t mode = uint32_t(descriptor >> 62);
  const Operand o{field(0), field(16), field(32), mode == 0 ? 16 : 256u >> mode, is_mn};
  const std::string place = std::string(" operand ") + which + " at shared byte " + std::to_string(int(o.start) - int(kWindow));
  if ((descriptor >> 49 & 7) != 0) fail("gives wgmma" + place + " with a base offset, which the emulator does not know");
  // the bits of the address that the swizzle adds to others must be those of the row alone
  if (mode != 0 && (o.start & 0x380 & (8 * o.span - 1)) != 0)
    fail("gives wgmma" + place + ", which does not begin in the first row of a block of " + std::to_string(8 * o.span) + " bytes");
  return o;
}

// Where the 16 bytes lie that begin with element (mn, k), of which one is a multiple of 8.
const char* place(const Operand& o, uint32_t mn, uint32_t k) {
  uint32_t at = o.start;
  if (o.is_mn && o.span == 16)
    at += mn / 8 * o.stride + k % 8 * 16 + k / 8 * o.leading;
  else if (o.is_mn)
    at += mn * 2 % o.span + mn * 2 / o.span * o.leading + k % 8 * o.span + k / 8 * o.stride;
  else if (o.span == 16)
    at += mn % 8 * 16 + mn / 8 * o.stride + k / 8 * o.leading;
  else
    at += mn % 8 * o.span + mn / 8 * o.stride + k * 2;
  at ^= (at >> 7 & (o.span / 16 - 1)) << 4;
  return block->shared_of(block->current_rank()) + (int(at) - int(kWindow));
}

// Calls use(16 bytes, mn, k) for all of an operand's elements with mn in [from, from + count).
template <class F>
void each(const Operand& o, uint32_t from, uint32_t count, F use) {
  if (o.is_mn)
    for (uint32_t k = 0; k < 16; k++)
      for (uint32_t mn = from; mn < from + count; mn += 8) use(place(o, mn, k), mn, k);
  else
    for (uint32_t mn = from; mn < from + count; mn++)
      for (uint32_t k = 0; k < 16; k += 8) use(place(o, mn, k), mn, k);
}

// [k][mn - from]
template <uint32_t kWidth>
void load(const Operand& o, uint32_t from, uint32_t count, uint32_t issued, float (*to)[kWidth]) {
  const uint32_t warp = warp_of_current();
  each(o, from, count, [&](const char* p, uint32_t mn, uint32_t k) {
    read_operand(p, 16, issued, warp);
    uint16_t bits[8];
    std::memcpy(bits, p, 16);
    for (uint32_t i = 0; i < 8; i++) {
      if (o.is_mn)
        to[k][mn - from + i] = to_float(bits[i]);
      else
        to[k + i][mn - from] = to_float(bits[i]);
    }
  });
}

// d of row and column as it lies in registers: calls use(lane, index, row, column).
template <class F>
void each_register(uint32_t n, F use) {
  for (uint32_t lane = 0; lane < kLanes; lane++)
    for (uint32_t i = 0; i < n / 2; i++) use(lane, i, lane / 4 + i / 2 % 2 * 8, i / 4 * 8 + lane % 4 * 2 + i % 2);
}

void execute(Product& p) {
  static float a[16][16], b[16][kMostN];
  const uint32_t first = warp_of_current() % 4 * 16;
  if (p.a_in_registers) {
    for (uint32_t k = 0; k < 16; k++)
      for (uint32_t r = 0; r < 16; r++) a[k][r] = to_float(p.a[r][k]);
  } else {
    load(decode(p.descriptor_a, p.a_is_mn, "a"), first, 16, p.issued, a);
  }
  load(decode(p.descriptor_b, p.b_is_mn, "b"), 0, p.n, p.issued, b);
  for (uint32_t r = 0; r < 16; r++) {
    float sums[kMostN] = {};
    for (uint32_t k = 0; k < 16; k++) {
      const float factor = a[k][r];
      for (uint32_t c = 0; c < p.n; c++) sums[c] += factor * b[k][c];
    }
    float* row = p.d->values.data() + size_t(r) * p.n;
    for (uint32_t c = 0; c < p.n; c++) row[c] = (p.accumulate ? row[c] : 0.0f) + sums[c];
  }
  p.d->products--;
}

// ---------------------------------------------------------------- issue

Accumulators& accumulators_of(WarpState& w, void** payloads, const Call& c) {
  for (Accumulators& d : w.accumulators)
    if (d.registers[0] == static_cast<Call*>(payloads[0])->d) {
      if (d.n != c.n) fail("issues a wgmma of other size on accumulators of one under way");
      return d;
    }
  if (!w.fenced) fail("issues a wgmma without wgmma_fence behind the last access to its accumulators");
  Accumulators& d = w.accumulators.emplace_back();
  d.n = c.n;
  d.products = 0;
  d.values.resize(size_t(16) * c.n);
  for (uint32_t lane = 0; lane < kLanes; lane++) d.registers[lane] = static_cast<Call*>(payloads[lane])->d;
  each_register(c.n, [&](uint32_t lane, uint32_t i, uint32_t row, uint32_t column) { d.values[row * c.n + column] = d.registers[lane][i]; });
  for (float* registers : d.registers) std::memset(static_cast<void*>(registers), 0xff, c.n / 2 * sizeof(float));
  block->accumulators++;
  return d;
}

void note(WarpState& w, uint64_t v) { w.log = (w.log ^ v) * 0x9e3779b97f4a7c15u + 1; }

void issue(void** payloads, const Call& c) {
  WarpState& w = warps[warp_of_current()];
  if (c.n == 0 || c.n % 8 != 0 || c.n > kMostN) fail("issues a wgmma with n = " + std::to_string(c.n));
  Product p{c.n, c.a != nullptr, c.accumulate, c.descriptor_a, c.descriptor_b, c.a_is_mn, c.b_is_mn, {}, 0, nullptr};
  if (p.a_in_registers) {
    if (!w.fenced) fail("issues a wgmma with an operand of registers without wgmma_fence behind what wrote it");
    for (uint32_t lane = 0; lane < kLanes; lane++)
      for (uint32_t i = 0; i < 4; i++) {
        const uint32_t pair = static_cast<Call*>(payloads[lane])->a[i];
        uint16_t* to = &p.a[lane / 4 + i % 2 * 8][lane % 4 * 2 + i / 2 * 8];
        to[0] = uint16_t(pair), to[1] = uint16_t(pair >> 16);
      }
  } else {
    each(decode(c.descriptor_a, c.a_is_mn, "a"), warp_of_current() % 4 * 16, 16, [](const char* at, uint32_t, uint32_t) { check_operand(at, 16); });
  }
  each(decode(c.descriptor_b, c.b_is_mn, "b"), 0, c.n, [](const char* at, uint32_t, uint32_t) { check_operand(at, 16); });
  p.d = &accumulators_of(w, payloads, c);
  p.d->products++;
  p.issued = block->tick++;
  w.open.push_back(p);
  for (uint64_t v : {uint64_t(c.n), c.descriptor_a, c.descriptor_b, uint64_t(c.accumulate)}) note(w, v);
}

void retire(int left) {
  WarpState& w = warps[warp_of_current()];
  bool any = false;
  while (w.groups.size() > size_t(left)) {
    for (Product& p : w.groups.front()) execute(p);
    any = any || !w.groups.front().empty();
    w.groups.pop_front();
  }
  if (!any) return;
  w.fenced = false;
  for (size_t i = w.accumulators.size(); i-- > 0;) {
    Accumulators& d = w.accumulators[i];
    if (d.products > 0) continue;
    each_register(d.n, [&](uint32_t lane, uint32_t r, uint32_t row, uint32_t column) { d.registers[lane][r] = d.values[row * d.n + column]; });
    d.n = 0;
    block->accumulators--;
  }
  // products point at what stays, so only the ends may go
  while (!w.accumulators.empty() && w.accumulators.front().n == 0) w.accumulators.pop_front();
  while (!w.accumulators.empty() && w.accumulators.back().n == 0) w.accumulators.pop_back();
  for (Accumulators& d : w.accumulators)
    if (d.n == 0) std::fill(d.registers, d.registers + kLanes, nullptr);
  // all lanes know what the warp has read
  start_clocks();
  Block& b = *block;
  const uint32_t agent = uint32_t(b.threads.size()) + kMbarriers + warp_of_current();
  for (uint32_t lane = 0; lane < kLanes; lane++) b.clock_of(warp_of_current() * kLanes + lane)[agent] = b.tick;
  b.tick++;
}

void finish(void** payloads, void*) {
  const Call& c = *static_cast<Call*>(payloads[0]);
  for (uint32_t lane = 1; lane < kLanes; lane++) {
    const Call& other = *static_cast<Call*>(payloads[lane]);
    if (other.what != c.what || other.left != c.left || other.n != c.n || other.descriptor_a != c.descriptor_a ||
        other.descriptor_b != c.descriptor_b || other.accumulate != c.accumulate)
      fail("comes to another instruction of wgmma, or with other arguments, than the first lane of its warp");
  }
  WarpState& w = warps[warp_of_current()];
  switch (c.what) {
    case kFence: w.fenced = true; break;
    case kCommit:
      w.groups.push_back(std::move(w.open));
      w.open.clear();
      break;
    case kWait: retire(c.left); break;
    case kProduct: issue(payloads, c); break;
  }
}

void call(Call c) { meet(Collective::wgmma, &c, finish, nullptr); }

}  // namespace

void wgmma_fence() { call({kFence, 0, nullptr, 0, nullptr, 0, 0, false, false, false}); }
void wgmma_commit() { call({kCommit, 0, nullptr, 0, nullptr, 0, 0, false, false, false}); }
void wgmma_wait(int left) { call({kWait, left, nullptr, 0, nullptr, 0, 0, false, false, false}); }
void wgmma(float* d, uint32_t n, const uint32_t* a, uint64_t descriptor_a, bool a_is_mn, uint64_t descriptor_b, bool b_is_mn, bool accumulate) {
  call({kProduct, 0, d, n, a, descriptor_a, descriptor_b, a_is_mn, b_is_mn, accumulate});
}

void check_accumulators(const void* p, size_t bytes) {
  const WarpState& w = warps[warp_of_current()];
  const char* at = static_cast<const char*>(p);
  for (const Accumulators& d : w.accumulators) {
    if (d.n == 0) continue;
    const char* mine = reinterpret_cast<const char*>(d.registers[block->current % kLanes]);
    if (at < mine + d.n / 2 * sizeof(float) && at + bytes > mine) fail("touches accumulators of a wgmma that is under way (wgmma_wait first)");
  }
}

void begin_wgmma(Block& b) {
  b.accumulators = 0;
  for (uint32_t w = 0; w < b.warps.size(); w++) {
    warps[w].accumulators.clear();
    warps[w].open.clear();
    warps[w].groups.clear();
    warps[w].fenced = false;
    warps[w].log = 0;
  }
}

void end_wgmma() {
  Block& b = *block;
  for (uint32_t w = 0; w < b.warps.size(); w++) {
    if (!warps[w].open.empty() || !warps[w].groups.empty())
      fail("ends last, while a wgmma of warp " + std::to_string(w) + " is under way");
    if (w / 4 * 4 + 3 < b.warps.size() ? warps[w].log != warps[w / 4 * 4].log : warps[w].log != 0)
      fail("ends last, but warp " + std::to_string(w) + " issued other wgmma than the first of its warpgroup");
  }
}

}  // namespace emulator
