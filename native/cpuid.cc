#include "cpuid.h"

#include <cstdio>
#include <fstream>
#include <set>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
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
