// What JavaScript holds handles of: an engine (kernels of one instruction set and the threads that run them) and the
// programs that were prepared for it.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "buffer.h"
#include "code_reader.h"
#include "command_list.h"
#include "door.h"
#include "pool.h"

struct Engine {
  static constexpr napi_type_tag kTag = {0x62696f616c626572, 1};
  static constexpr const char* kName = "an engine";
  int64_t external_bytes() const { return 0; }

  std::string isa;
  // Gone once the engine is closed, but for a run that is still going on: prepared programs may live on in JavaScript,
  // its threads shall not.
  std::shared_ptr<Pool> pool;
  std::vector<const KernelEntry*> kernels;
};

class Program {
 public:
  static constexpr napi_type_tag kTag = {0x62696f616c626572, 3};
  static constexpr const char* kName = "a program";
  int64_t external_bytes() const { return 0; }

  Program(std::shared_ptr<Engine> engine, std::vector<std::shared_ptr<Buffer>> arenas, std::vector<bool> scalar_is_float);

  // Appends what `code` says, the numbers that src/device/addon.ts writes: loops of (count, reverse, calls, then each
  // call). Throws for what the kernels were not declared with and for ranges outside their arenas.
  void read(const double* code, size_t length);

  const CommandList& list() const { return list_; }
  // None once the engine was closed.
  const std::shared_ptr<Pool>& pool() const { return engine_->pool; }

  // Room for a timeline, kept from run to run. A run takes it and gives it back, both on the thread of JavaScript.
  std::vector<Reading> readings;

 private:
  KernelCall read_call(CodeReader& in) const;

  CommandList list_;
  std::shared_ptr<Engine> engine_;
  std::vector<std::shared_ptr<Buffer>> arenas_;
};
