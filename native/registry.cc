#include "registry.h"

#include "kernel_tables.inc"

std::vector<const KernelEntry*> kernels_of(const std::string& isa) {
  std::vector<const KernelEntry*> found;
  for (const auto& table : kKernelTables)
    if (isa == table.isa)
      for (const KernelEntry* e = table.entries; e->name; e++) found.push_back(e);
  return found;
}
