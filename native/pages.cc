#include "pages.h"

#include <cstdint>
#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

#if defined(_WIN32)

void* map_pages(size_t bytes, size_t) { return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }

void unmap_pages(void* p, size_t) { VirtualFree(p, 0, MEM_RELEASE); }

#else

void* map_pages(size_t bytes, size_t alignment) {
  // what is too much at both ends goes back, in whole pages
  const size_t page = size_t(sysconf(_SC_PAGESIZE)), size = (bytes + page - 1) / page * page;
  const size_t more = alignment > page ? alignment : 0;
  void* p = mmap(nullptr, size + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  char* start = static_cast<char*>(p);
  if (more > 0) {
    const size_t before = (alignment - reinterpret_cast<uintptr_t>(start) % alignment) % alignment;
    if (before > 0) munmap(start, before);
    start += before;
    munmap(start + size, more - before);
  }
#if defined(MADV_HUGEPAGE)
  madvise(start, size, MADV_HUGEPAGE);
#endif
  return start;
}

void unmap_pages(void* p, size_t bytes) { munmap(p, bytes); }

#endif
