// What this processor can do, asked at run time. Compiled without instruction set flags.
#pragma once
#include <string>
#include <vector>

// Instruction sets that were built in and that processor and operating system support, slowest first.
std::vector<std::string> supported_isas();

// Number of processors this process may run on, counting one per core.
unsigned physical_cores();

// Brand string of the processor.
std::string processor_name();
