#include "registry.h"

#include "cuda_kernel_tables.inc"

const std::vector<const KernelEntry*>& all_kernels() {
  // never destroyed: threads may look at it while the process ends
  static const auto* const found = [] {
    auto* const list = new std::vector<const KernelEntry*>();
    for (const KernelEntry* table : kKernelTables)
      for (const KernelEntry* entry = table; entry->name; entry++) list->push_back(entry);
    return list;
  }();
  return *found;
}
