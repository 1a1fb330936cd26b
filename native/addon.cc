// The N-API surface: the only door between TypeScript and the CPU kernels. src/device/addon.ts is its typed side.
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include <napi.h>

#include "buffer.h"
#include "door.h"
#include "handle.h"
#include "pool.h"
#include "processor.h"
#include "program.h"
#include "registry.h"
#include "run.h"

namespace {

using door::Arguments;

// processor(): { name: string, cores: number, isas: string[], emulated: string[], refused: { isa, reason: string }[] }
// isas and emulated are built in and may be used; refused are other ones that the processor has
napi_value processor(const Arguments& in) {
  const napi_env env = in.env();
  const auto built = [&](const std::vector<std::string>& isas) {
    std::vector<napi_value> names;
    for (const std::string& isa : isas)
      if (is_built(isa)) names.push_back(door::text(env, isa));
    return door::list(env, names);
  };
  std::vector<napi_value> refused;
  const auto refuse = [&](const std::string& isa, const std::string& reason) {
    const napi_value one = door::object(env);
    door::set(env, one, "isa", door::text(env, isa));
    door::set(env, one, "reason", door::text(env, reason));
    refused.push_back(one);
  };
  for (const std::string& isa : supported_isas())
    if (!is_built(isa)) refuse(isa, "this build lacks it: its compiler did not know the instructions");
  for (const RefusedIsa& one : refused_isas()) refuse(one.isa, one.reason);
  const napi_value result = door::object(env);
  door::set(env, result, "name", door::text(env, processor_name()));
  door::set(env, result, "cores", door::number(env, physical_cores()));
  door::set(env, result, "isas", built(supported_isas()));
  door::set(env, result, "emulated", built(emulated_isas()));
  door::set(env, result, "refused", door::list(env, refused));
  return result;
}

// open(isa: string, threads: number, pin: boolean): Engine
napi_value open(const Arguments& in) {
  auto engine = std::make_shared<Engine>();
  engine->isa = in.text(0);
  engine->pool = std::make_shared<Pool>(unsigned(in.count(1)), in.boolean(2));
  engine->kernels = kernels_of(engine->isa);
  return wrap(in.env(), engine);
}

// kernels(engine): { name: string, buffers: number, params: number }[]; the index is what `prepare` takes
napi_value kernels(const Arguments& in) {
  const napi_env env = in.env();
  const auto engine = unwrap<Engine>(env, in[0]);
  std::vector<napi_value> found;
  for (const KernelEntry* entry : engine->kernels) {
    const napi_value kernel = door::object(env);
    door::set(env, kernel, "name", door::text(env, entry->name));
    door::set(env, kernel, "buffers", door::number(env, entry->buffers));
    door::set(env, kernel, "params", door::number(env, entry->params));
    found.push_back(kernel);
  }
  return door::list(env, found);
}

// poolBytes(engine): number
napi_value pool_bytes(const Arguments& in) {
  return door::number(in.env(), double(unwrap<Engine>(in.env(), in[0])->pool->bytes()));
}

// alloc(bytes: number, label: string): Buffer
napi_value alloc(const Arguments& in) {
  return wrap(in.env(), std::make_shared<Buffer>(in.count(0), in.text(1).c_str()));
}

// free(buffer): void; memory goes when the last run that uses it has ended
napi_value free(const Arguments& in) {
  close<Buffer>(in.env(), in[0]);
  return nullptr;
}

// Where a range of `length` bytes from `offset` begins.
char* range(const Buffer& buffer, uint64_t offset, size_t length, const char* what) {
  if (offset > buffer.bytes() || length > buffer.bytes() - offset)
    throw std::out_of_range(std::string(what) + " past the end of a buffer");
  return buffer.data() + offset;
}

// write(buffer, offset: number, data: Uint8Array): void
napi_value write(const Arguments& in) {
  const auto buffer = unwrap<Buffer>(in.env(), in[0]);
  const auto data = in.bytes(2);
  char* to = range(*buffer, in.count(1), data.length, "write");
  // an empty array has no address
  if (data.length > 0) std::memcpy(to, data.data, data.length);
  return nullptr;
}

// read(buffer, offset: number, target: Uint8Array): void
napi_value read(const Arguments& in) {
  const auto buffer = unwrap<Buffer>(in.env(), in[0]);
  const auto target = in.bytes(2);
  const char* from = range(*buffer, in.count(1), target.length, "read");
  if (target.length > 0) std::memcpy(target.data, from, target.length);
  return nullptr;
}

// prepare(engine, arenas: Buffer[], scalarIsFloat: Uint8Array, code: Float64Array): Program; for the code see program.h
napi_value prepare(const Arguments& in) {
  const auto engine = unwrap<Engine>(in.env(), in[0]);
  std::vector<std::shared_ptr<Buffer>> arenas;
  for (const napi_value arena : in.list(1)) arenas.push_back(unwrap<Buffer>(in.env(), arena));
  const auto kinds = in.bytes(2);
  const auto code = in.numbers(3);
  auto program = std::make_shared<Program>(engine, std::move(arenas), std::vector<bool>(kinds.data, kinds.data + kinds.length));
  program->read(code.data, code.length);
  return wrap(in.env(), program);
}

// run(program, scalars: Uint32Array (the bits of each), timeline: boolean): Promise<Float64Array>
// resolves to quadruples (call, iteration, start, duration), none without a timeline
napi_value run(const Arguments& in) {
  const auto program = unwrap<Program>(in.env(), in[0]);
  const auto bits = in.words(1);
  std::vector<Word> scalars(bits.length);
  for (size_t i = 0; i < scalars.size(); i++) scalars[i].u = bits.data[i];
  return start_run(in.env(), program, std::move(scalars), in.boolean(2));
}

// close(handle of an engine or a program): void
napi_value close_handle(const Arguments& in) {
  if (!is_handle<Engine>(in.env(), in[0])) {
    close<Program>(in.env(), in[0]);
    return nullptr;
  }
  if (const auto& engine = held<Engine>(in.env(), in[0])) engine->pool.reset();
  close<Engine>(in.env(), in[0]);
  return nullptr;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  try {
    door::add<processor>(env, exports, "processor");
    door::add<open>(env, exports, "open");
    door::add<kernels>(env, exports, "kernels");
    door::add<pool_bytes>(env, exports, "poolBytes");
    door::add<alloc>(env, exports, "alloc");
    door::add<free>(env, exports, "free");
    door::add<write>(env, exports, "write");
    door::add<read>(env, exports, "read");
    door::add<prepare>(env, exports, "prepare");
    door::add<run>(env, exports, "run");
    door::add<close_handle>(env, exports, "close");
  } catch (const door::Stopped&) {
    // a worker that ends while it loads the addon
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(bioalbert, init)
