// Says which instruction sets follow from registers given as words: a line for each line read, as JSON. For
// test/native/processor.test.ts, which compiles it with native/x86.cc.
#include <iostream>
#include <sstream>

#include "x86.h"

namespace {

std::string permission;

std::string tile_obstacle() { return permission == "granted" ? "" : permission; }

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    x86::Registers r;
    bool late = false;
    words >> std::hex >> r.leaf1_c >> r.leaf7_b >> r.leaf7_c >> r.leaf7_d >> r.leaf7_1_a >> r.saved >> late >> permission;
    std::cout << "[";
    const char* separator = "";
    for (const x86::InstructionSet& set : x86::instruction_sets(r, late, tile_obstacle)) {
      std::cout << separator << "[\"" << set.name << "\",\"" << set.obstacle << "\"]";
      separator = ",";
    }
    std::cout << "]\n";
  }
}
