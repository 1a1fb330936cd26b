// What this processor can do, asked at run time. Compiled without instruction set flags.
#pragma once
#include <string>
#include <vector>

// Instruction sets that were built in and that processor and operating system support, slowest first.
std::vector<std::string> supported_isas();

// One processor of each core that this process may run on, in the order of their numbers; empty where the system does
// not tell.
std::vector<int> core_processors();

// Number of cores that this process may run on.
unsigned physical_cores();

// Brand string of the processor.
std::string processor_name();
