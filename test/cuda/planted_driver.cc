// Runs the kernels of planted.cu on the emulator, each with the number of seeds that is asked for, and prints for each
// one line of JSON: its name, and what the first seed found that found something ("" if all were right).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulator.h"
#include "launch.h"

extern const KernelEntry kernels_planted[];

namespace {

constexpr uint32_t kRows = 64, kMostK = 328;  // K is no multiple of a tile's 64

float value_of(uint16_t bits) {
  const uint32_t u = uint32_t(bits) << 16;
  float v;
  std::memcpy(&v, &u, 4);
  return v;
}

std::string run(const KernelEntry& entry, uint32_t k, uint64_t seed) {
  const bool is_mn = std::strstr(entry.name, "_mn") || std::strstr(entry.name, "wrong stride"), is_sum = std::strncmp(entry.name, "sums", 4) == 0;
  const size_t bytes = size_t(kRows) * k * 2, y_bytes = size_t(kRows) * kRows * 4;
  uint16_t* a = static_cast<uint16_t*>(emulator::allocate(bytes));
  uint16_t* b = static_cast<uint16_t*>(emulator::allocate(bytes));
  float* y = static_cast<float*>(emulator::allocate(y_bytes));
  srand(unsigned(seed));
  for (uint16_t* p : {a, b})
    for (uint32_t i = 0; i < kRows * k; i++) {
      const float v = float(rand() % 33 - 16) / 8;  // exact in bf16, and so are the sums in f32
      uint32_t u;
      std::memcpy(&u, &v, 4);
      p[i] = uint16_t(u >> 16);
    }
  std::memset(static_cast<void*>(y), 0xff, y_bytes);
  const Chip chip{"emulated", 90, 4, size_t(227) * 1024, 0};
  char scratch[256];
  Launch launch(chip, scratch);
  const BufferArg buffers[] = {{a, bytes}, {b, bytes}, {y, y_bytes}};
  entry.record(launch, buffers, nullptr);
  const std::vector<emulator::Range> ranges = {{reinterpret_cast<char*>(a), bytes}, {reinterpret_cast<char*>(b), bytes}, {reinterpret_cast<char*>(y), y_bytes}};
  std::string found;
  emulator::set_seed(seed);
  try {
    for (Recorded& r : launch.recorded) {
      std::vector<void*> arguments = r.arguments();
      emulator::run({r.invoke, arguments.data(), {r.grid.x, r.grid.y, r.grid.z}, r.threads, r.shared, &ranges});
    }
    double sum = 0;
    for (uint32_t i = 0; i < kRows * k; i++) sum += value_of(a[i]);
    for (uint32_t m = 0; m < kRows && found.empty(); m++)
      for (uint32_t n = 0; n < kRows; n++) {
        double want = 0;
        for (uint32_t i = 0; i < k; i++)
          want += is_mn ? value_of(a[i * kRows + m]) * value_of(b[i * kRows + n]) : value_of(a[m * k + i]) * value_of(b[n * k + i]);
        if (is_sum) want = sum;
        const float got = y[m * kRows + n];
        if (got != want && found.empty()) found = "wrong numbers: y[" + std::to_string(m) + "," + std::to_string(n) + "] is " + std::to_string(got) + ", not " + std::to_string(want);
      }
  } catch (const emulator::Violation& v) {
    found = v.what();
  }
  emulator::release(a);
  emulator::release(b);
  emulator::release(y);
  return found;
}

}  // namespace

int main(int, char** argv) {
  const uint64_t right = std::strtoull(argv[1], nullptr, 10), wrong = std::strtoull(argv[2], nullptr, 10);
  for (const KernelEntry* e = kernels_planted; e->name; e++) {
    const uint64_t seeds = std::strchr(e->name, ' ') ? wrong : right;
    std::string found;
    for (uint64_t seed = 1; seed <= seeds && found.empty(); seed++) {
      // operands of ordinary loads are whole tiles
      const bool is_whole = std::strncmp(e->name, "stores", 6) == 0;
      found = run(*e, is_whole ? 192 : kMostK, seed);
      if (!found.empty()) found = "seed " + std::to_string(seed) + ": " + found;
    }
    std::printf("{\"kernel\": \"%s\", \"found\": \"%s\"}\n", e->name, found.c_str());
  }
}
