// Finds kernels by name and instruction set in the tables that the kernel files export.
#pragma once
#include <string>
#include <vector>

#include "entry.h"

// All kernels of one instruction set. One that builds on another has the other's where it has none of its own.
std::vector<const KernelEntry*> kernels_of(const std::string& isa);

// Whether an instruction set was built in.
bool is_built(const std::string& isa);
