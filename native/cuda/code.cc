#include "code.h"

#include <stdexcept>

#include "code_reader.h"
#include "registry.h"

namespace {

std::string text(double v) { return std::to_string(int64_t(v)); }

RefCode read_ref(CodeReader& in, const std::vector<size_t>& arenas) {
  RefCode ref;
  ref.arena = in.index();
  const double bytes = double(arenas.at(ref.arena));
  const double offset = in.next(), length = in.next(), stride = in.next();
  ref.shift = in.index();
  ref.modulo = in.index();
  const bool is_number = ref.modulo > 0 && offset >= 0 && length >= 0 && stride >= 0;
  if (!is_number || !(offset + length + stride * (double(ref.modulo) - 1) <= bytes))
    throw std::out_of_range("a buffer lies outside its arena (" + text(length) + " bytes from " + text(offset) + " in " +
                            text(ref.modulo) + " steps of " + text(stride) + ", the arena has " + text(bytes) + ")");
  ref.offset = uint64_t(offset);
  ref.bytes = uint64_t(length);
  ref.stride = uint64_t(stride);
  return ref;
}

ParamCode read_param(CodeReader& in, size_t scalars) {
  ParamCode param;
  const double number = in.next();
  if (!(number >= -1 && number <= double(scalars))) throw std::out_of_range("program holds no such scalar");
  param.scalar = int32_t(number);
  param.is_float = in.next() != 0;
  param.times = in.next();
  param.capacity = in.next();
  return param;
}

CallCode read_call(CodeReader& in, const std::vector<size_t>& arenas, size_t scalars) {
  CallCode call;
  call.kernel = all_kernels().at(in.index());
  const uint32_t refs = in.index();
  for (uint32_t i = 0; i < refs; i++) call.refs.push_back(read_ref(in, arenas));
  const uint32_t params = in.index();
  for (uint32_t i = 0; i < params; i++) call.params.push_back(read_param(in, scalars));
  if (refs != call.kernel->buffers || params != call.kernel->params)
    throw std::invalid_argument("declared with " + std::to_string(refs) + " buffers and " + std::to_string(params) +
                                " parameters, the kernel has " + std::to_string(call.kernel->buffers) + " and " +
                                std::to_string(call.kernel->params));
  return call;
}

}  // namespace

std::vector<LoopCode> read_code(const double* code, size_t length, const std::vector<size_t>& arenas, size_t scalars,
                                const std::vector<std::string>& labels, const std::string& where) {
  CodeReader in(code, length);
  std::vector<LoopCode> loops;
  size_t call = 0;
  while (!in.done()) {
    LoopCode loop;
    loop.count = in.index();
    loop.reverse = in.next() != 0;
    const uint32_t calls = in.index();
    for (uint32_t i = 0; i < calls; i++, call++) {
      try {
        loop.body.push_back(read_call(in, arenas, scalars));
      } catch (const std::exception& error) {
        throw std::invalid_argument(where + labels.at(call) + ": " + error.what());
      }
    }
    loops.push_back(std::move(loop));
  }
  if (call != labels.size()) throw std::invalid_argument("program has another number of labels than of calls");
  return loops;
}
