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
#elif defined(__APPLE__)
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

// What the system says of the processor: products of 8-bit integers (FEAT_DotProd).
bool has_dot_product() {
#if defined(__linux__)
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProduct) != 0;
#elif defined(__APPLE__)
  int found = 0;
  size_t size = sizeof found;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &found, &size, nullptr, 0) == 0 && found != 0;
#else
  return false;
#endif
}

#endif

}  // namespace

std::vector<std::string> supported_isas() {
  std::vector<std::string> isas = {"generic"};
#if defined(__x86_64__)
  for (const x86::InstructionSet& set : x86::instruction_sets())
    if (set.obstacle.empty()) isas.push_back(set.name);
#elif defined(__aarch64__)
  isas.push_back("neon");
  if (has_dot_product()) isas.push_back("neon_int8");
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

std::string processor_name() {
#if defined(__linux__)
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
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
