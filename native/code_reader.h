// Reads the numbers of an encoded program (src/device/addon.ts) one after the other; both addons prepare programs from them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>

class CodeReader {
 public:
  CodeReader(const double* p, size_t n) : p_(p), end_(p + n) {}
  bool done() const { return p_ == end_; }
  // Throws std::out_of_range at the end.
  double next() {
    if (p_ == end_) throw std::out_of_range("program ends too early");
    return *p_++;
  }
  // Throws std::out_of_range where the number is no index.
  uint32_t index() {
    const double value = next();
    if (!(value >= 0 && value <= UINT32_MAX)) throw std::out_of_range("program holds a number that is no index");
    return uint32_t(value);
  }

 private:
  const double *p_, *end_;
};
