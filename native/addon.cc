// The N-API surface: the only door between TypeScript and the CPU kernels. src/device/addon.ts is its typed side.
// Every handle is type-tagged; every std::exception becomes a JavaScript Error.
#include <napi.h>

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

#include "buffer.h"
#include "command_list.h"
#include "pool.h"
#include "processor.h"
#include "registry.h"

namespace {

constexpr napi_type_tag kEngineTag = {0x62696f616c626572, 1};
constexpr napi_type_tag kBufferTag = {0x62696f616c626572, 2};
constexpr napi_type_tag kProgramTag = {0x62696f616c626572, 3};

struct Engine {
  std::string isa;
  // Gone once the engine is closed, but for a run that is still going on: prepared programs may live on in JavaScript,
  // its threads shall not.
  std::shared_ptr<Pool> pool;
  std::vector<const KernelEntry*> kernels;
};

// Handles hold a shared_ptr: a run in flight keeps what it uses alive, whatever JavaScript lets go.
template <class T>
Napi::Value wrap(Napi::Env env, std::shared_ptr<T> object, const napi_type_tag& tag) {
  auto external =
      Napi::External<std::shared_ptr<T>>::New(env, new std::shared_ptr<T>(std::move(object)), [](Napi::Env e, std::shared_ptr<T>* p) {
        // a buffer that nobody freed by hand still counts as external memory
        if constexpr (std::is_same_v<T, Buffer>) {
          if (*p) Napi::MemoryManagement::AdjustExternalMemory(e, -int64_t((*p)->bytes()));
        }
        delete p;
      });
  external.TypeTag(&tag);
  return external;
}

template <class T>
std::shared_ptr<T> unwrap(const Napi::Value& value, const napi_type_tag& tag, const char* what) {
  if (!value.IsExternal() || !value.As<Napi::External<std::shared_ptr<T>>>().CheckTypeTag(&tag))
    throw std::invalid_argument(std::string("expected a handle of ") + what);
  auto object = *value.As<Napi::External<std::shared_ptr<T>>>().Data();
  if (!object) throw std::invalid_argument(std::string(what) + " was closed");
  return object;
}

struct Program {
  CommandList list;
  // Room for a timeline, kept from run to run. A run takes it and gives it back, both on the thread of JavaScript.
  std::vector<Reading> readings;
  std::shared_ptr<Engine> engine;
  std::vector<std::shared_ptr<Buffer>> arenas;
};

// processor(): { name: string, cores: number, isas: string[], emulated: string[] }; only what was built in
Napi::Value processor(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  result["name"] = Napi::String::New(env, processor_name());
  result["cores"] = Napi::Number::New(env, physical_cores());
  const auto list = [&](const std::vector<std::string>& isas) {
    Napi::Array array = Napi::Array::New(env);
    for (const std::string& isa : isas)
      if (is_built(isa)) array[array.Length()] = Napi::String::New(env, isa);
    return array;
  };
  result["isas"] = list(supported_isas());
  result["emulated"] = list(emulated_isas());
  return result;
}

// open(isa: string, threads: number, pin: boolean): Engine
Napi::Value open(const Napi::CallbackInfo& info) {
  auto engine = std::make_shared<Engine>();
  engine->isa = info[0].As<Napi::String>();
  engine->pool = std::make_shared<Pool>(info[1].As<Napi::Number>().Uint32Value(), info[2].ToBoolean());
  engine->kernels = kernels_of(engine->isa);
  return wrap(info.Env(), engine, kEngineTag);
}

// kernels(engine): { name: string, buffers: number, params: number }[]; the index is what `prepare` takes
Napi::Value kernels(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto engine = unwrap<Engine>(info[0], kEngineTag, "an engine");
  Napi::Array result = Napi::Array::New(env, engine->kernels.size());
  for (uint32_t i = 0; i < engine->kernels.size(); i++) {
    Napi::Object k = Napi::Object::New(env);
    k["name"] = Napi::String::New(env, engine->kernels[i]->name);
    k["buffers"] = Napi::Number::New(env, engine->kernels[i]->buffers);
    k["params"] = Napi::Number::New(env, engine->kernels[i]->params);
    result[i] = k;
  }
  return result;
}

// poolBytes(engine): number
Napi::Value pool_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), double(unwrap<Engine>(info[0], kEngineTag, "an engine")->pool->bytes()));
}

// alloc(bytes: number, label: string): Buffer
Napi::Value alloc(const Napi::CallbackInfo& info) {
  const std::string label = info[1].As<Napi::String>();
  auto buffer = std::make_shared<Buffer>(size_t(info[0].As<Napi::Number>().DoubleValue()), label.c_str());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), int64_t(buffer->bytes()));
  return wrap(info.Env(), buffer, kBufferTag);
}

// free(buffer): void; memory goes when the last run that uses it has ended
void free(const Napi::CallbackInfo& info) {
  auto buffer = unwrap<Buffer>(info[0], kBufferTag, "a buffer");
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -int64_t(buffer->bytes()));
  info[0].As<Napi::External<std::shared_ptr<Buffer>>>().Data()->reset();
}

// write(buffer, offset: number, data: Uint8Array): void
void write(const Napi::CallbackInfo& info) {
  auto buffer = unwrap<Buffer>(info[0], kBufferTag, "a buffer");
  const size_t offset = size_t(info[1].As<Napi::Number>().DoubleValue());
  auto data = info[2].As<Napi::Uint8Array>();
  if (offset + data.ByteLength() > buffer->bytes()) throw std::out_of_range("write past the end of a buffer");
  // an empty array has no address
  if (data.ByteLength() > 0) std::memcpy(buffer->data() + offset, data.Data(), data.ByteLength());
}

// read(buffer, offset: number, target: Uint8Array): void
void read(const Napi::CallbackInfo& info) {
  auto buffer = unwrap<Buffer>(info[0], kBufferTag, "a buffer");
  const size_t offset = size_t(info[1].As<Napi::Number>().DoubleValue());
  auto target = info[2].As<Napi::Uint8Array>();
  if (offset + target.ByteLength() > buffer->bytes()) throw std::out_of_range("read past the end of a buffer");
  if (target.ByteLength() > 0) std::memcpy(target.Data(), buffer->data() + offset, target.ByteLength());
}

// Reads the numbers that src/device/addon.ts writes, one after the other.
class Reader {
 public:
  Reader(const double* p, size_t n) : p_(p), end_(p + n) {}
  bool done() const { return p_ == end_; }
  double next() {
    if (p_ == end_) throw std::out_of_range("program ends too early");
    return *p_++;
  }
  uint32_t index() { return uint32_t(next()); }

 private:
  const double *p_, *end_;
};

KernelCall read_call(Reader& in, const Program& program) {
  KernelCall call;
  call.kernel = program.engine->kernels.at(in.index());
  const uint32_t refs = in.index();
  for (uint32_t i = 0; i < refs; i++) {
    const Buffer& arena = *program.arenas.at(in.index());
    const double offset = in.next(), bytes = in.next(), stride = in.next();
    const uint32_t shift = in.index(), modulo = in.index();
    if (modulo == 0 || offset + bytes + stride * (modulo - 1) > double(arena.bytes()))
      throw std::out_of_range(std::string(call.kernel->name) + ": a buffer lies outside its arena");
    call.refs.push_back({arena.data() + size_t(offset), uint64_t(bytes), uint64_t(stride), shift, modulo});
  }
  const uint32_t params = in.index();
  for (uint32_t i = 0; i < params; i++) {
    const int32_t scalar = int32_t(in.next());
    const bool is_float = in.next() != 0;
    call.params.push_back({scalar, is_float, in.next()});
  }
  if (call.refs.size() != call.kernel->buffers || call.params.size() != call.kernel->params)
    throw std::invalid_argument(std::string(call.kernel->name) + ": declared with " + std::to_string(call.refs.size()) +
                                " buffers and " + std::to_string(call.params.size()) + " parameters, the kernel has " +
                                std::to_string(call.kernel->buffers) + " and " + std::to_string(call.kernel->params));
  return call;
}

// prepare(engine, arenas: Buffer[], scalarIsFloat: Uint8Array, code: Float64Array): Program
// code: loops of (count, reverse, calls, then each call); see read_call
Napi::Value prepare(const Napi::CallbackInfo& info) {
  auto program = std::make_shared<Program>();
  program->engine = unwrap<Engine>(info[0], kEngineTag, "an engine");
  auto arenas = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < arenas.Length(); i++)
    program->arenas.push_back(unwrap<Buffer>(Napi::Value(arenas[i]), kBufferTag, "a buffer"));
  for (const auto& arena : program->arenas) program->list.arenas.push_back({arena->data(), arena->bytes()});
  auto kinds = info[2].As<Napi::Uint8Array>();
  for (size_t i = 0; i < kinds.ElementLength(); i++) program->list.scalar_is_float.push_back(kinds[i] != 0);
  auto code = info[3].As<Napi::Float64Array>();
  Reader in(code.Data(), code.ElementLength());
  while (!in.done()) {
    Loop loop;
    loop.count = in.index();
    loop.reverse = in.next() != 0;
    const uint32_t calls = in.index();
    for (uint32_t i = 0; i < calls; i++) loop.body.push_back(read_call(in, *program));
    program->list.loops.push_back(std::move(loop));
  }
  return wrap(info.Env(), program, kProgramTag);
}

// Executes a program on a thread of libuv, which becomes rank 0 of the pool; the event loop stays free.
class Run : public Napi::AsyncWorker {
 public:
  Run(Napi::Env env, std::shared_ptr<Program> program, std::vector<Word> scalars, bool timeline)
      : Napi::AsyncWorker(env), deferred_(env), program_(std::move(program)), pool_(program_->engine->pool), scalars_(std::move(scalars)) {
    if (!timeline) return;
    readings_.swap(program_->readings);
    readings_.resize(program_->list.executions() * pool_->threads());
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    const CommandList& list = program_->list;
    const size_t row = readings_.size() / pool_->threads();
    const double begin = readings_.empty() ? 0 : clock_ns();
    pool_->run([&](Team& team) { list.execute(team, scalars_, row == 0 ? nullptr : readings_.data() + row * team.rank()); });
    if (row > 0) events_ = list.timeline(readings_, pool_->threads(), begin);
  }
  void OnOK() override {
    auto events = Napi::Float64Array::New(Env(), events_.size() * 4);
    for (size_t i = 0; i < events_.size(); i++) {
      const Event& e = events_[i];
      events[4 * i] = e.call, events[4 * i + 1] = e.iteration, events[4 * i + 2] = e.start, events[4 * i + 3] = e.duration;
    }
    program_->readings.swap(readings_);
    deferred_.Resolve(events);
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Program> program_;
  std::shared_ptr<Pool> pool_;
  std::vector<Word> scalars_;
  std::vector<Reading> readings_;
  std::vector<Event> events_;
};

// run(program, scalars: Uint32Array (the bits of each), timeline: boolean): Promise<Float64Array>
// resolves to quadruples (call, iteration, start, duration), none without a timeline
Napi::Value run(const Napi::CallbackInfo& info) {
  auto program = unwrap<Program>(info[0], kProgramTag, "a program");
  if (!program->engine->pool) throw std::invalid_argument("the engine of the program was closed");
  auto bits = info[1].As<Napi::Uint32Array>();
  std::vector<Word> scalars(bits.ElementLength());
  for (size_t i = 0; i < scalars.size(); i++) scalars[i].u = bits[i];
  if (scalars.size() != program->list.scalar_is_float.size()) throw std::invalid_argument("wrong number of scalars");
  auto* worker = new Run(info.Env(), program, std::move(scalars), info[2].ToBoolean());
  worker->Queue();
  return worker->promise();
}

// close(handle of an engine or a program): void
void close(const Napi::CallbackInfo& info) {
  if (info[0].As<Napi::External<void>>().CheckTypeTag(&kEngineTag)) {
    auto& engine = *info[0].As<Napi::External<std::shared_ptr<Engine>>>().Data();
    if (engine) engine->pool.reset();
    engine.reset();
  } else if (info[0].As<Napi::External<void>>().CheckTypeTag(&kProgramTag))
    info[0].As<Napi::External<std::shared_ptr<Program>>>().Data()->reset();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["processor"] = Napi::Function::New(env, processor);
  exports["open"] = Napi::Function::New(env, open);
  exports["kernels"] = Napi::Function::New(env, kernels);
  exports["poolBytes"] = Napi::Function::New(env, pool_bytes);
  exports["alloc"] = Napi::Function::New(env, alloc);
  exports["free"] = Napi::Function::New(env, free);
  exports["write"] = Napi::Function::New(env, write);
  exports["read"] = Napi::Function::New(env, read);
  exports["prepare"] = Napi::Function::New(env, prepare);
  exports["run"] = Napi::Function::New(env, run);
  exports["close"] = Napi::Function::New(env, close);
  return exports;
}

}  // namespace

NODE_API_MODULE(bioalbert, init)
