// Finds kernels by name and instruction set in the tables that the kernel files export.
#pragma once
#include <string>
#include <vector>

#include "entry.h"


// All kernels of one instruction set.
std::vector<const KernelEntry*> kernels_of(const std::string& isa);
