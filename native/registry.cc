#include "registry.h"

#include <cstring>

#include "kernel_tables.inc"

namespace {

void append(std::vector<const KernelEntry*>& found, const std::string& isa) {
  const size_t own = found.size();
  for (const auto& table : kKernelTables) {
    if (isa != table.isa) continue;
    for (const KernelEntry* e = table.entries; e->name; e++) {
      bool known = false;
      for (size_t i = 0; i < own; i++) known = known || std::strcmp(found[i]->name, e->name) == 0;
      if (!known) found.push_back(e);
    }
  }
}

}  // namespace

std::vector<const KernelEntry*> kernels_of(const std::string& isa) {
  std::vector<const KernelEntry*> found;
  append(found, isa);
  for (const auto& set : kInstructionSets)
    if (isa == set.isa && *set.base) append(found, set.base);
  return found;
}

bool is_built(const std::string& isa) {
  for (const auto& set : kInstructionSets)
    if (isa == set.isa) return true;
  return false;
}
