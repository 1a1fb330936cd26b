// The kernels that were built in, from the tables that the files of kernels/cuda export.
#pragma once
#include <vector>

#include "record.h"

const std::vector<const KernelEntry*>& all_kernels();
