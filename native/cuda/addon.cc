// The Node-API surface of the CUDA addon: the only door between TypeScript and the GPU. src/device/cuda_addon.ts is its
// typed side. It loads where there is no driver, and says so when it is asked for devices.
#include <memory>
#include <stdexcept>
#include <string>

#include <napi.h>

#include "api.h"
#include "commands.h"
#include "device.h"
#include "door.h"
#include "handle.h"
#include "program.h"
#include "registry.h"

namespace {

using door::Arguments;

napi_value describe_device(napi_env env, int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cuda:" + std::to_string(index));
  const napi_value device = door::object(env);
  door::set(env, device, "name", door::text(env, properties.name));
  door::set(env, device, "capability", door::number(env, properties.major * 10 + properties.minor));
  door::set(env, device, "multiprocessors", door::number(env, properties.multiProcessorCount));
  door::set(env, device, "bytes", door::number(env, double(properties.totalGlobalMem)));
  return device;
}

// devices(): { driver: number, runtime: number, reason: string, devices: { name, capability, multiprocessors, bytes }[] }
// versions as 13000 for 13.0, a driver of 0 where there is none; a reason why there is no device, or an empty one
napi_value devices(const Arguments& in) {
  const napi_env env = in.env();
  int driver = 0, runtime = 0, count = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));
  static_cast<void>(cudaRuntimeGetVersion(&runtime));
  std::string reason;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess) {
    count = 0;
    reason = describe(code);
    static_cast<void>(cudaGetLastError());
  }
  std::vector<napi_value> found;
  for (int i = 0; i < count; i++) found.push_back(describe_device(env, i));
  const napi_value result = door::object(env);
  door::set(env, result, "driver", door::number(env, driver));
  door::set(env, result, "runtime", door::number(env, runtime));
  door::set(env, result, "reason", door::text(env, reason));
  door::set(env, result, "devices", door::list(env, found));
  return result;
}

// open(index: number): Device
napi_value open(const Arguments& in) { return wrap(in.env(), Device::open(in.env(), int(in.count(0)))); }

// kernels(): { name: string, buffers: number, params: number }[]; the index is what `prepare` takes
napi_value kernels(const Arguments& in) {
  const napi_env env = in.env();
  std::vector<napi_value> found;
  for (const KernelEntry* entry : all_kernels()) {
    const napi_value kernel = door::object(env);
    door::set(env, kernel, "name", door::text(env, entry->name));
    door::set(env, kernel, "buffers", door::number(env, entry->buffers));
    door::set(env, kernel, "params", door::number(env, entry->params));
    found.push_back(kernel);
  }
  return door::list(env, found);
}

// memory(device): { free: number, total: number, working: number, pinned: number }; bytes
// of the GPU, of it in use by programs beside buffers, and of pinned memory of the host
napi_value memory(const Arguments& in) {
  const napi_env env = in.env();
  const auto device = unwrap<Device>(env, in[0]);
  device->ensure_alive();
  const auto [free, total] = device->memory();
  const napi_value result = door::object(env);
  door::set(env, result, "free", door::number(env, double(free)));
  door::set(env, result, "total", door::number(env, double(total)));
  door::set(env, result, "working", door::number(env, double(device->working_bytes())));
  door::set(env, result, "pinned", door::number(env, double(device->pinned().bytes())));
  return result;
}

// workingBytes(device): number
napi_value working_bytes(const Arguments& in) {
  return door::number(in.env(), double(unwrap<Device>(in.env(), in[0])->working_bytes()));
}

// alloc(device, bytes: number, label: string): Buffer
napi_value alloc(const Arguments& in) {
  const auto device = unwrap<Device>(in.env(), in[0]);
  return wrap(in.env(), std::make_shared<Buffer>(device, in.count(1), in.text(2)));
}

// free(buffer): void; memory goes when the last run that uses it has ended, and with it programs that are bound to it
napi_value free(const Arguments& in) {
  if (const auto buffer = held<Buffer>(in.env(), in[0])) buffer->device()->free(*buffer);
  close<Buffer>(in.env(), in[0]);
  return nullptr;
}

void check_range(const Buffer& buffer, uint64_t offset, size_t length) {
  if (offset > buffer.bytes() || length > buffer.bytes() - offset)
    throw std::out_of_range(buffer.label + ": bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) + " of " +
                            std::to_string(buffer.bytes()) + " do not exist");
  buffer.device()->ensure_alive();
}

// write(buffer, offset: number, data: Uint8Array): Promise<void>; kept when the data have been taken
napi_value write(const Arguments& in) {
  const auto buffer = unwrap<Buffer>(in.env(), in[0]);
  const auto data = in.bytes(2);
  check_range(*buffer, in.count(1), data.length);
  return start_write(in.env(), buffer, in.count(1), in[2], data);
}

// read(buffer, offset: number, target: Uint8Array): Promise<void>
napi_value read(const Arguments& in) {
  const auto buffer = unwrap<Buffer>(in.env(), in[0]);
  const auto target = in.bytes(2);
  check_range(*buffer, in.count(1), target.length);
  return start_read(in.env(), buffer, in.count(1), in[2], target);
}

// prepare(device, name: string, arenas: Buffer[], scalars: string[], scalarIsFloat: Uint8Array, labels: string[],
//   code: Float64Array): Program; for the code see code.h
napi_value prepare(const Arguments& in) {
  const napi_env env = in.env();
  const auto device = unwrap<Device>(env, in[0]);
  device->ensure_alive();
  std::vector<std::shared_ptr<Buffer>> arenas;
  for (const napi_value arena : in.list(2)) arenas.push_back(unwrap<Buffer>(env, arena));
  for (const auto& arena : arenas)
    if (arena->device() != device) throw std::invalid_argument(arena->label + " is a buffer of another device");
  const auto kinds = in.bytes(4);
  const auto code = in.numbers(6);
  auto executable = std::make_shared<Executable>(device, in.text(1), std::move(arenas), in.texts(3),
                                                 std::vector<bool>(kinds.data, kinds.data + kinds.length), in.texts(5),
                                                 code.data, code.length);
  return wrap(env, std::make_shared<Program>(device, std::move(executable)));
}

// run(program, scalars: Uint32Array (the bits of each), timeline: boolean): Promise<Float64Array>
// quadruples (call, iteration, start, duration), none without a timeline
napi_value run(const Arguments& in) {
  const napi_env env = in.env();
  const auto program = unwrap<Program>(env, in[0]);
  program->device->ensure_alive();
  const auto& executable = program->executable;
  if (!executable) throw std::invalid_argument(program->ended);
  const auto scalars = in.words(1);
  const bool timeline = in.boolean(2);
  if (timeline) executable->prepare_timeline();
  auto command = std::make_shared<Run>(executable, program->device, executable->words(scalars.data, scalars.length), timeline);
  const napi_value promise = command->promise.make(env);
  program->device->push(env, std::move(command));
  return promise;
}

// sync(device): Promise<void>; kept when all is done that was asked for before
napi_value sync(const Arguments& in) {
  const auto device = unwrap<Device>(in.env(), in[0]);
  device->ensure_alive();
  auto command = std::make_shared<Mark>(device);
  const napi_value promise = command->promise.make(in.env());
  device->push(in.env(), std::move(command));
  return promise;
}

// close(handle of a device or a program): void
napi_value close_handle(const Arguments& in) {
  if (!is_handle<Device>(in.env(), in[0])) {
    close<Program>(in.env(), in[0]);
    return nullptr;
  }
  if (const auto device = held<Device>(in.env(), in[0])) device->close(in.env());
  close<Device>(in.env(), in[0]);
  return nullptr;
}

#if defined(BIOALBERT_EMULATED)
// failCall(function: string, count: number, code: number): void; see emulator::fail_call
napi_value fail_call(const Arguments& in) {
  emulator::fail_call(in.text(0).c_str(), unsigned(in.count(1)), int(in.count(2)));
  return nullptr;
}

// setSeed(seed: number): void; of the order in which threads and blocks run
napi_value set_seed(const Arguments& in) {
  emulator::set_seed(in.count(0));
  return nullptr;
}

// held(): { device: number, pinned: number, objects: number }; what all devices of the process have not given back
napi_value held_by_all(const Arguments& in) {
  const napi_env env = in.env();
  const emulator::Held held = emulator::held();
  const napi_value result = door::object(env);
  door::set(env, result, "device", door::number(env, double(held.device)));
  door::set(env, result, "pinned", door::number(env, double(held.pinned)));
  door::set(env, result, "objects", door::number(env, double(held.objects)));
  return result;
}
#endif

Napi::Object init(Napi::Env env, Napi::Object exports) {
  try {
    door::add<devices>(env, exports, "devices");
    door::add<open>(env, exports, "open");
    door::add<kernels>(env, exports, "kernels");
    door::add<memory>(env, exports, "memory");
    door::add<working_bytes>(env, exports, "workingBytes");
    door::add<alloc>(env, exports, "alloc");
    door::add<free>(env, exports, "free");
    door::add<write>(env, exports, "write");
    door::add<read>(env, exports, "read");
    door::add<prepare>(env, exports, "prepare");
    door::add<run>(env, exports, "run");
    door::add<sync>(env, exports, "sync");
    door::add<close_handle>(env, exports, "close");
#if defined(BIOALBERT_EMULATED)
    door::add<fail_call>(env, exports, "failCall");
    door::add<set_seed>(env, exports, "setSeed");
    door::add<held_by_all>(env, exports, "held");
#endif
  } catch (const door::Stopped&) {
    // a worker that ends while it loads the addon
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(bioalbert_cuda, init)
