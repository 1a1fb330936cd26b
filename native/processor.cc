#include "processor.h"

#include <cstdio>
#include <fstream>
#include <set>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace {

bool has(const std::vector<std::string>& isas, const char* isa) {
  for (const std::string& one : isas)
    if (one == isa) return true;
  return false;
}

// Tiles need the processor (CPUID), an operating system that saves them (XCR0), and its permission (Linux 5.16 and
// later gives it once for all threads, unless a signal stack is too small for the state).
bool supports_amx() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a, b, c, d;
  constexpr unsigned kAmx = 1u << 22 | 1u << 24 | 1u << 25, kOsxsave = 1u << 27;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kAmx) != kAmx) return false;  // bf16, tiles, int8
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsxsave)) return false;
  asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  constexpr unsigned kTileConfig = 1u << 17, kTileData = 1u << 18;
  if ((a & (kTileConfig | kTileData)) != (kTileConfig | kTileData)) return false;
  constexpr long kRequestPermission = 0x1023, kGetPermission = 0x1022, kTileDataComponent = 18;
  unsigned long granted = 0;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileDataComponent) == 0 &&
         syscall(SYS_arch_prctl, kGetPermission, &granted) == 0 && (granted & kTileData);
#else
  return false;
#endif
}

}  // namespace

std::vector<std::string> supported_isas() {
  std::vector<std::string> isas = {"generic"};
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    isas.push_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      isas.push_back("avx512");
      const bool has_vnni = __builtin_cpu_supports("avx512vnni");
      if (has_vnni) isas.push_back("avx512_vnni");
      const bool has_bf16 = has_vnni && __builtin_cpu_supports("avx512bf16");
      if (has_bf16) isas.push_back("avx512_bf16");
      if (has_bf16 && supports_amx()) isas.push_back("amx");
    }
  }
#endif
  return isas;
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
#endif
  return "unknown processor";
}
