// mma.sync, ldmatrix and cp.async. A copy takes place as late as the program allows, when its thread waits for it.
#include "tensor.h"

#include "block.h"

namespace emulator {

namespace {

float low(uint32_t pair) {
  const uint32_t u = pair << 16;
  float v;
  std::memcpy(&v, &u, 4);
  return v;
}
float high(uint32_t pair) {
  const uint32_t u = pair & 0xffff0000u;
  float v;
  std::memcpy(&v, &u, 4);
  return v;
}

struct Product {
  float* d;
  const uint32_t *a, *b;
};

void multiply(void** payloads, void*) {
  float a[16][16], b[8][16];  // b by column
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    const Product& p = *static_cast<Product*>(payloads[lane]);
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t i = 0; i < 4; i++) {
      const uint32_t row = g + i % 2 * 8, column = 2 * t + i / 2 * 8;
      a[row][column] = low(p.a[i]);
      a[row][column + 1] = high(p.a[i]);
    }
    for (uint32_t i = 0; i < 2; i++) {
      b[g][2 * t + 8 * i] = low(p.b[i]);
      b[g][2 * t + 8 * i + 1] = high(p.b[i]);
    }
  }
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    const Product& p = *static_cast<Product*>(payloads[lane]);
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t i = 0; i < 4; i++) {
      const float* row = a[g + i / 2 * 8];
      const float* column = b[2 * t + i % 2];
      float sum = 0;
      for (uint32_t k = 0; k < 16; k++) sum += row[k] * column[k];
      p.d[i] += sum;
    }
  }
}

struct Load {
  const char* row;
  uint32_t* r;
};
struct Form {
  int matrices;
  bool trans;
};

void load(void** payloads, void* context) {
  const Form& form = *static_cast<Form*>(context);
  for (int m = 0; m < form.matrices; m++) {
    uint16_t matrix[8][8];
    for (uint32_t i = 0; i < 8; i++) std::memcpy(matrix[i], static_cast<Load*>(payloads[8 * m + i])->row, 16);
    for (uint32_t lane = 0; lane < kLanes; lane++) {
      const uint32_t row = lane / 4, column = 2 * (lane % 4);
      const uint32_t first = form.trans ? matrix[column][row] : matrix[row][column];
      const uint32_t second = form.trans ? matrix[column + 1][row] : matrix[row][column + 1];
      static_cast<Load*>(payloads[lane])->r[m] = first | second << 16;
    }
  }
}

void copy(const CopyAsync& c) {
  if (c.bytes > c.zeros) read(c.from, c.bytes - c.zeros);
  std::memcpy(c.to, c.from, c.bytes - c.zeros);
  std::memset(c.to + c.bytes - c.zeros, 0, c.zeros);
  end_copy(c.to, c.bytes, block->current);
}

}  // namespace

void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Product p{d, a, b};
  meet(Collective::mma, &p, multiply, nullptr);
}

void ldmatrix(uint32_t* r, int matrices, const void* row, bool trans) {
  if (block->current % kLanes < uint32_t(8 * matrices)) {
    if (!is_shared(row) || reinterpret_cast<uintptr_t>(row) % 16 != 0) fail("gives ldmatrix an address that is not a 16-byte row of shared memory");
    read(row, 16);
  }
  Load l{static_cast<const char*>(row), r};
  Form form{matrices, trans};
  meet(Collective::ldmatrix, &l, load, &form);
}

void cp_async(void* shared, const void* global, uint32_t bytes, uint32_t there) {
  if (!is_shared(shared) || reinterpret_cast<uintptr_t>(shared) % bytes != 0 || reinterpret_cast<uintptr_t>(global) % bytes != 0)
    fail("starts cp.async to or from an address that is not aligned, or not to shared memory");
  begin_copy(shared, bytes);
  current().open.push_back({static_cast<char*>(shared), static_cast<const char*>(global), bytes, bytes - there});
}

void cp_async_commit() {
  Thread& t = current();
  t.groups.push_back(std::move(t.open));
  t.open.clear();
}

void cp_async_wait(int left) {
  Thread& t = current();
  while (t.groups.size() > size_t(left)) {
    for (const CopyAsync& c : t.groups.front()) copy(c);
    t.groups.erase(t.groups.begin());
  }
}

}  // namespace emulator
