#include "processor.h"

#include <fstream>
#include <set>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "x86.h"

namespace {

bool has(const std::vector<std::string>& isas, const char* isa) {
  for (const std::string& one : isas)
    if (one == isa) return true;
  return false;
}

#if defined(__aarch64__)

// What the system says of the processor: products of groups of 8-bit integers, and of 2 x 2 of bf16 and of 8-bit integers.
struct Features {
  bool dot_product = false, bf16 = false, int8_products = false;  // FEAT_DotProd, FEAT_BF16, FEAT_I8MM
};

#if defined(__APPLE__)
bool feature(const char* name) {
  int found = 0;
  size_t size = sizeof found;
  return sysctlbyname(name, &found, &size, nullptr, 0) == 0 && found != 0;
}
#endif

Features features() {
  Features f;
#if defined(__linux__)
  constexpr unsigned long kDotProduct = 1ul << 20, kInt8Products = 1ul << 13, kBf16 = 1ul << 14;  // HWCAP_ASIMDDP, HWCAP2_I8MM, _BF16
  const unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
  f.dot_product = (first & kDotProduct) != 0;
  f.int8_products = (second & kInt8Products) != 0;
  f.bf16 = (second & kBf16) != 0;
#elif defined(__APPLE__)
  f.dot_product = feature("hw.optional.arm.FEAT_DotProd");
  f.int8_products = feature("hw.optional.arm.FEAT_I8MM");
  f.bf16 = feature("hw.optional.arm.FEAT_BF16");
#endif
  return f;
}

#endif

}  // namespace

std::vector<std::string> supported_isas() {
  std::vector<std::string> isas = {"generic"};
#if defined(__x86_64__)
  for (const x86::InstructionSet& set : x86::instruction_sets())
    if (set.obstacle.empty()) isas.push_back(set.name);
#elif defined(__aarch64__)
  const Features f = features();
  isas.push_back("neon");
  if (f.dot_product) isas.push_back("neon_int8");
  if (f.dot_product && f.bf16 && f.int8_products) isas.push_back("neon_bf16");
#endif
  return isas;
}

std::vector<RefusedIsa> refused_isas() {
  std::vector<RefusedIsa> refused;
#if defined(__x86_64__)
  for (const x86::InstructionSet& set : x86::instruction_sets())
    if (!set.obstacle.empty()) refused.push_back({set.name, set.obstacle});
#endif
  return refused;
}

std::vector<std::string> emulated_isas() {
  if (has(supported_isas(), "avx512")) return {"avx512_bf16_emulated", "amx_emulated"};
  return {};
}

std::vector<int> core_processors() {
  std::vector<int> processors;
#if defined(__linux__)
  // the mask of the process, not of a thread that may be bound to one processor
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(getpid(), sizeof allowed, &allowed) != 0) return processors;
  // hardware threads of one core name the same sibling list
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
    if (cores.insert(siblings).second) processors.push_back(cpu);
  }
#endif
  return processors;
}

unsigned physical_cores() {
  const size_t cores = core_processors().size();
  if (cores > 0) return unsigned(cores);
  const unsigned logical = std::thread::hardware_concurrency();
  return logical == 0 ? 1 : logical;
}

#if defined(__aarch64__) && defined(__linux__)

// AArch64's Linux tells numbers: those of the processors on which the instruction sets differ, others stay numbers.
std::string name_of_numbers(const std::string& implementer, const std::string& part) {
  static const struct { const char *implementer, *part, *name; } known[] = {
      {"0x41", "0xd08", "Arm Cortex-A72"},  {"0x41", "0xd0b", "Arm Cortex-A76"},   {"0x41", "0xd0c", "Arm Neoverse N1"},
      {"0x41", "0xd40", "Arm Neoverse V1"}, {"0x41", "0xd49", "Arm Neoverse N2"},  {"0x41", "0xd4f", "Arm Neoverse V2"},
      {"0x41", "0xd84", "Arm Neoverse V3"}, {"0x41", "0xd8e", "Arm Neoverse N3"},  {"0x46", "0x001", "Fujitsu A64FX"},
      {"0x61", "0x023", "Apple M1"},        {"0x61", "0x033", "Apple M2"},         {"0xc0", "0xac3", "AmpereOne"},
  };
  for (const auto& one : known)
    if (implementer == one.implementer && part == one.part) return one.name;
  return "AArch64 processor of implementer " + implementer + ", part " + part;
}

#endif

std::string processor_name() {
#if defined(__linux__)
  std::ifstream file("/proc/cpuinfo");
  std::string implementer, part;
  for (std::string line; std::getline(file, line);) {
    const auto value = [&] { return line.substr(line.find(':') + 2); };
    if (line.rfind("model name", 0) == 0) return value();
    if (line.rfind("CPU implementer", 0) == 0) implementer = value();
    if (line.rfind("CPU part", 0) == 0) part = value();
  }
#if defined(__aarch64__)
  if (!implementer.empty() && !part.empty()) return name_of_numbers(implementer, part);
#endif
#elif defined(__APPLE__)
  char name[128];
  size_t size = sizeof name;
  if (sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0) return name;
#elif defined(__x86_64__)
  const std::string name = x86::brand();
  if (!name.empty()) return name;
#endif
  return "unknown processor";
}
