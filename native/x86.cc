#include "x86.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace x86 {

namespace {

constexpr uint64_t bit(unsigned n) { return uint64_t(1) << n; }
constexpr bool all(uint64_t found, uint64_t wanted) { return (found & wanted) == wanted; }

// Components of XCR0
constexpr uint64_t kVectors = bit(1) | bit(2);                       // the lower and upper halves of 256 bits
constexpr uint64_t kWide = kVectors | bit(5) | bit(6) | bit(7);      // masks, upper halves of 512 bits, registers 16 to 31
constexpr uint64_t kTiles = bit(17) | bit(18);                       // their shapes and contents

std::string obstacle(const Registers& r, uint64_t wanted, const char* what) {
  if (all(r.saved, wanted)) return "";
  char text[128];
  std::snprintf(text, sizeof text, "the operating system does not save %s (XCR0 is 0x%llx, want 0x%llx)", what,
                static_cast<unsigned long long>(r.saved), static_cast<unsigned long long>(wanted));
  return text;
}

}  // namespace

std::vector<InstructionSet> instruction_sets(const Registers& r, bool saves_wide_late, std::string (*tile_obstacle)()) {
  std::vector<InstructionSet> sets;
  if (!all(r.leaf1_c, bit(12) | bit(28)) || !all(r.leaf7_b, bit(5))) return sets;  // FMA, AVX; AVX2
  sets.push_back({"avx2", obstacle(r, kVectors, "registers of 256 bits")});
  if (!all(r.leaf7_b, bit(16) | bit(17) | bit(30) | bit(31))) return sets;  // F, DQ, BW, VL
  const std::string wide = obstacle(r, saves_wide_late ? kVectors : kWide, "registers of 512 bits");
  sets.push_back({"avx512", wide});
  if (!all(r.leaf7_c, bit(11))) return sets;
  sets.push_back({"avx512_vnni", wide});
  if (!all(r.leaf7_1_a, bit(5))) return sets;
  sets.push_back({"avx512_bf16", wide});
  if (!all(r.leaf7_d, bit(22) | bit(24) | bit(25))) return sets;  // of bf16, tiles themselves, of 8-bit integers
  std::string tiles = obstacle(r, kTiles | kWide, "tiles");
  if (tiles.empty()) tiles = tile_obstacle();
  sets.push_back({"amx", tiles});
  return sets;
}

#if defined(__x86_64__)

// Asked for directly: __builtin_cpu_supports wants a runtime that fills in its table, and where there is none every answer is no.
Registers read_registers() {
  Registers r;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return r;
  r.leaf1_c = c;
  // without OSXSAVE the instruction is none
  if (all(c, bit(27))) {
    unsigned low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    r.saved = uint64_t(high) << 32 | low;
  }
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return r;
  r.leaf7_b = b;
  r.leaf7_c = c;
  r.leaf7_d = d;
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) r.leaf7_1_a = a;
  return r;
}

namespace {

// Linux 5.16 and later gives permission once for all threads, unless a signal stack is too small for the state.
std::string ask_for_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kGetPermission = 0x1022, kTileDataComponent = 18;
  unsigned long granted = 0;
  if (syscall(SYS_arch_prctl, kRequestPermission, kTileDataComponent) != 0)
    return std::string("Linux refused permission for tiles (arch_prctl: ") + std::strerror(errno) + ")";
  if (syscall(SYS_arch_prctl, kGetPermission, &granted) == 0 && all(granted, bit(kTileDataComponent))) return "";
  return "Linux gave no permission for tiles (arch_prctl)";
#else
  return "permission for tiles is asked for on Linux only";
#endif
}

}  // namespace

std::vector<InstructionSet> instruction_sets() {
#if defined(__APPLE__)
  constexpr bool kSavesWideLate = true;
#else
  constexpr bool kSavesWideLate = false;
#endif
  return instruction_sets(read_registers(), kSavesWideLate, ask_for_tiles);
}

std::string brand() {
  unsigned words[12];
  for (unsigned i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3])) return "";
  char text[sizeof words + 1] = {};
  std::memcpy(text, words, sizeof words);
  const std::string name(text);
  const size_t first = name.find_first_not_of(' '), last = name.find_last_not_of(' ');
  return first == std::string::npos ? "" : name.substr(first, last - first + 1);
}

#endif

}  // namespace x86
