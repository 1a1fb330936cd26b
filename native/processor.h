// What this processor can do, asked at run time. Compiled without instruction set flags.
#pragma once
#include <string>
#include <vector>

// Instruction sets that processor and operating system support, slowest first. Asks the operating system for the tiles
// of AMX where the processor has them: a process may use them only after that.
std::vector<std::string> supported_isas();

// Those that the processor has and the operating system does not support, slowest first.
struct RefusedIsa {
  std::string isa, reason;
};
std::vector<RefusedIsa> refused_isas();

// Instruction sets in plain C++ on top of the supported ones, for tests: to be chosen by name only.
std::vector<std::string> emulated_isas();

// One processor of each core that this process may run on, in the order of their numbers; empty where the system does
// not tell.
std::vector<int> core_processors();

// Number of cores that this process may run on.
unsigned physical_cores();

// Brand string of the processor.
std::string processor_name();
