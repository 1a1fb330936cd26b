// Which instruction sets an x86 processor has, and which of them its operating system lets programs use.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace x86 {

// What the instructions CPUID and XGETBV answer.
struct Registers {
  uint32_t leaf1_c = 0;                                // leaf 1, ECX
  uint32_t leaf7_b = 0, leaf7_c = 0, leaf7_d = 0;      // leaf 7, subleaf 0
  uint32_t leaf7_1_a = 0;                              // leaf 7, subleaf 1, EAX
  uint64_t saved = 0;                                  // XCR0: registers that the system saves; 0 where it keeps that to itself
};

struct InstructionSet {
  std::string name;
  std::string obstacle;  // why it must not be used, or empty
};

// Those that the processor has, slowest first. `saves_wide_late`: the system saves registers of 512 bits from their first
// use on, and XCR0 does not show them before. `tile_obstacle` is asked, at most once, for what the system says to tiles.
std::vector<InstructionSet> instruction_sets(const Registers& registers, bool saves_wide_late, std::string (*tile_obstacle)());

#if defined(__x86_64__)
Registers read_registers();
// Those of this machine. Asks Linux for permission to use tiles where the processor has them.
std::vector<InstructionSet> instruction_sets();
// What the processor calls itself, or empty.
std::string brand();
#endif

}  // namespace x86
