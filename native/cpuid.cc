#include "cpuid.h"

#include <cstdio>
#include <fstream>
#include <set>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#endif

std::vector<std::string> supported_isas() {
  std::vector<std::string> isas = {"generic"};
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    isas.push_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      isas.push_back("avx512");
  }
#endif
  return isas;
}

unsigned physical_cores() {
  const unsigned logical = std::thread::hardware_concurrency();
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    // hardware threads of one core name the same sibling list; count the lists
    std::set<std::string> cores;
    unsigned count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      count++;
      std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
      std::string siblings;
      if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
      cores.insert(siblings);
    }
    if (count > 0) return unsigned(cores.size());
  }
#endif
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
