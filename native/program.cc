#include "program.h"

#include <stdexcept>

Program::Program(std::shared_ptr<Engine> engine, std::vector<std::shared_ptr<Buffer>> arenas, std::vector<bool> scalar_is_float)
    : engine_(std::move(engine)), arenas_(std::move(arenas)) {
  for (const auto& arena : arenas_) list_.arenas.push_back({arena->data(), arena->bytes()});
  list_.scalar_is_float = std::move(scalar_is_float);
}

void Program::read(const double* code, size_t length) {
  CodeReader in(code, length);
  while (!in.done()) {
    Loop loop;
    loop.count = in.index();
    loop.reverse = in.next() != 0;
    const uint32_t calls = in.index();
    for (uint32_t i = 0; i < calls; i++) loop.body.push_back(read_call(in));
    list_.loops.push_back(std::move(loop));
  }
}

KernelCall Program::read_call(CodeReader& in) const {
  KernelCall call;
  call.kernel = engine_->kernels.at(in.index());
  const uint32_t refs = in.index();
  for (uint32_t i = 0; i < refs; i++) {
    const Buffer& arena = *arenas_.at(in.index());
    const double offset = in.next(), bytes = in.next(), stride = in.next();
    const uint32_t shift = in.index(), modulo = in.index();
    const bool is_inside = modulo > 0 && offset >= 0 && bytes >= 0 && stride >= 0 &&
                           offset + bytes + stride * (modulo - 1) <= double(arena.bytes());
    if (!is_inside) throw std::out_of_range(std::string(call.kernel->name) + ": a buffer lies outside its arena");
    call.refs.push_back({arena.data() + size_t(offset), uint64_t(bytes), uint64_t(stride), shift, modulo});
  }
  const uint32_t params = in.index();
  for (uint32_t i = 0; i < params; i++) {
    const double number = in.next();
    if (!(number >= -1 && number <= double(list_.scalar_is_float.size()))) throw std::out_of_range("program holds no such scalar");
    const int32_t scalar = int32_t(number);
    const bool is_float = in.next() != 0;
    call.params.push_back({scalar, is_float, in.next()});
  }
  if (call.refs.size() != call.kernel->buffers || call.params.size() != call.kernel->params)
    throw std::invalid_argument(std::string(call.kernel->name) + ": declared with " + std::to_string(call.refs.size()) +
                                " buffers and " + std::to_string(call.params.size()) + " parameters, the kernel has " +
                                std::to_string(call.kernel->buffers) + " and " + std::to_string(call.kernel->params));
  return call;
}
