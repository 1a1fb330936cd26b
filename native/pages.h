// Memory from the operating system by pages: zeroed, and untouched ones cost nothing.
#pragma once
#include <cstddef>

// Large pages where they are to be had. Begins at a multiple of `alignment`, a power of two; on Windows of 64 KiB at most.
// nullptr where there is not so much.
void* map_pages(size_t bytes, size_t alignment = 1);

void unmap_pages(void* p, size_t bytes);
