// Runs the products of products.cu on the emulator and compares them with float64 loops: sizes at the edges of tiles, fewer
// rows than there may be, NaN in all that must not matter. Prints for each one line of JSON: what, and what is wrong ("").
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulator.h"
#include "launch.h"

extern const KernelEntry kernels_products[];

namespace {

struct Case {
  uint32_t capacity, rows, in, out, multiprocessors;
};
constexpr Case kCases[] = {{300, 300, 136, 264, 4}, {300, 217, 64, 520, 2},  {129, 5, 200, 8, 4},
                           {640, 577, 72, 200, 4},  {700, 641, 72, 840, 10}, {40, 0, 64, 64, 4}};
const char* const kWhat[] = {"bias", "gelu", "input", "weight", "joined: sum", "joined: tanh", "joined: erf"};

template <class T>
struct Memory {
  explicit Memory(size_t n) : at(static_cast<T*>(emulator::allocate(n * sizeof(T)))), n(n) { std::memset(static_cast<void*>(at), 0xff, n * sizeof(T)); }
  ~Memory() { emulator::release(at); }
  T& operator[](size_t i) const { return at[i]; }
  BufferArg argument() const { return {at, n * sizeof(T)}; }
  T* at;
  size_t n;
};
using Bf16 = Memory<uint16_t>;

double value(uint16_t bits) {
  const uint32_t u = uint32_t(bits) << 16;
  float v;
  std::memcpy(&v, &u, 4);
  return double(v);
}

uint16_t rounded(double v) {
  const float f = float(v);
  uint32_t u;
  std::memcpy(&u, &f, 4);
  return uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

double any() { return double(rand() % 2001 - 1000) / 1000; }

double gelu(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
double gelu_erf(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double slope(double (*f)(double), double x) { return (f(x + 1e-4) - f(x - 1e-4)) / 2e-4; }

struct Check {
  std::string found;
  void same(const char* name, size_t i, double got, double want, double tolerance) {
    if (std::abs(got - want) <= tolerance || !found.empty()) return;
    found = std::string(name) + "[" + std::to_string(i) + "] is " + std::to_string(got) + ", not " + std::to_string(want);
  }
  // one rounding to bf16, and sums of f32
  void bf16(const char* name, size_t i, uint16_t got, double want) { same(name, i, value(got), want, std::abs(want) / 250 + 1e-3); }
  void untouched(const char* name, const Bf16& m, size_t from) {
    for (size_t i = from; i < m.n; i++)
      if (m[i] != 0xffff && found.empty()) found = std::string(name) + "[" + std::to_string(i) + "] was written, past the rows that are there";
  }
};

std::string run(const KernelEntry& entry, const Case& c, uint32_t what, uint32_t splits, uint64_t seed) {
  const size_t in = c.in, out = c.out, rows = c.rows;
  Bf16 x(c.capacity * in), weight(out * in), dy(c.capacity * out), y(c.capacity * out), z(c.capacity * out), dx(c.capacity * in);
  Memory<float> bias(out), dweight(out * in), dbias(out);
  Memory<uint32_t> count(1);
  Memory<char> scratch(size_t(16) << 20);
  srand(unsigned(seed));
  count[0] = c.rows;
  for (size_t i = 0; i < rows * in; i++) x[i] = rounded(any());
  for (size_t i = 0; i < weight.n; i++) weight[i] = rounded(any());
  for (size_t i = 0; i < rows * out; i++) dy[i] = rounded(any());
  for (size_t i = 0; i < out; i++) bias[i] = float(any()), dbias[i] = float(any());
  for (size_t i = 0; i < dweight.n; i++) dweight[i] = float(any());
  const std::vector<float> dweight0(dweight.at, dweight.at + dweight.n), dbias0(dbias.at, dbias.at + dbias.n);

  const Chip chip{"emulated", 90, c.multiprocessors, size_t(227) * 1024, 0};
  Launch launch(chip, scratch.at);
  const BufferArg buffers[] = {x.argument(),  weight.argument(),  dy.argument(),   bias.argument(), y.argument(), z.argument(),
                               dx.argument(), dweight.argument(), dbias.argument()};
  const ParamArg params[] = {{count.at, c.capacity}, {nullptr, c.in}, {nullptr, c.out}, {nullptr, what}, {nullptr, splits}};
  entry.record(launch, buffers, params);
  std::vector<emulator::Range> ranges = {{reinterpret_cast<char*>(count.at), 4}, {scratch.at, scratch.n}};
  for (const BufferArg& b : buffers) ranges.push_back({static_cast<char*>(b.data), b.bytes});
  Check check;
  emulator::set_seed(seed);
  try {
    for (Recorded& r : launch.recorded) {
      std::vector<void*> arguments = r.arguments();
      emulator::run({r.invoke, arguments.data(), {r.grid.x, r.grid.y, r.grid.z}, r.threads, r.shared, &ranges});
    }
  } catch (const emulator::Violation& v) {
    return v.what();
  }

  const bool is_forward = what < 2, is_weight = what == 3;
  if (is_forward)
    for (size_t n = 0; n < rows; n++)
      for (size_t o = 0; o < out; o++) {
        double sum = double(bias[o]);
        for (size_t i = 0; i < in; i++) sum += value(x[n * in + i]) * value(weight[o * in + i]);
        if (what == 1) check.bf16("z", n * out + o, z[n * out + o], sum);
        check.bf16("y", n * out + o, y[n * out + o], what == 1 ? gelu(sum) : sum);
      }
  if (!is_forward && !is_weight)
    for (size_t n = 0; n < rows; n++)
      for (size_t i = 0; i < in; i++) {
        double sum = 0;
        for (size_t o = 0; o < out; o++) sum += value(dy[n * out + o]) * value(weight[o * in + i]);
        const double other = value(x[n * in + i]);
        const double joined[] = {sum, sum, sum, sum, sum + other, sum * slope(gelu, other), sum * slope(gelu_erf, other)};
        check.bf16("dx", n * in + i, dx[n * in + i], joined[what]);
      }
  if (is_weight)
    for (size_t o = 0; o < out; o++) {
      double all = double(dbias0[o]);
      for (size_t n = 0; n < rows; n++) all += value(dy[n * out + o]);
      check.same("dbias", o, double(dbias[o]), all, 1e-4);
      for (size_t i = 0; i < in; i++) {
        double sum = double(dweight0[o * in + i]);
        for (size_t n = 0; n < rows; n++) sum += value(dy[n * out + o]) * value(x[n * in + i]);
        check.same("dweight", o * in + i, double(dweight[o * in + i]), sum, 1e-4);
      }
    }
  check.untouched("y", y, rows * out);
  check.untouched("z", z, rows * out);
  check.untouched("dx", dx, rows * in);
  return check.found;
}

}  // namespace

int main() {
  uint64_t seed = 1;
  for (const KernelEntry* e = kernels_products; e->name; e++)
    for (const Case& c : kCases)
      for (uint32_t what = 0; what < sizeof kWhat / sizeof *kWhat; what++)
        for (uint32_t splits : {1u, 3u}) {
          // the depth is split with single blocks only, and its parts are added by a kernel that every epilogue has alike
          if (splits > 1 && ((what != 3 && what != 0) || std::strncmp(e->name, "pairs", 5) == 0)) continue;
          if (c.multiprocessors == 10 && what != 3) continue;  // there for its many shares of a gradient's depth
          const std::string found = run(*e, c, what, splits, seed++);
          std::printf("{\"tile\": \"%s\", \"what\": \"%s\", \"sizes\": \"%u of %u rows, %u to %u, %u splits\", \"found\": \"%s\"}\n", e->name, kWhat[what],
                      c.rows, c.capacity, c.in, c.out, splits, found.c_str());
        }
}
