#include "commands.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "api.h"

// ---------------------------------------------------------------- promises

napi_value Promise::make(napi_env env) {
  napi_value promise;
  door::check(napi_create_promise(env, &deferred_, &promise));
  return promise;
}

void Promise::resolve(napi_env env, napi_value value) {
  const napi_deferred kept = deferred_;
  deferred_ = nullptr;
  if (!kept) return;
  if (!value) door::check(napi_get_undefined(env, &value));
  door::check(napi_resolve_deferred(env, kept, value));
}

void Promise::reject(napi_env env, const std::string& message) {
  const napi_deferred kept = deferred_;
  deferred_ = nullptr;
  if (kept) door::check(napi_reject_deferred(env, kept, door::error(env, message.c_str())));
}

// ---------------------------------------------------------------- runs

void Run::submit(cudaStream_t stream) {
  if (!words_.empty()) {
    block_ = device()->pinned().take(words_.size() * sizeof(Word));
    std::memcpy(block_.data, words_.data(), words_.size() * sizeof(Word));
  }
  executable_->launch(stream, block_.data, timeline_);
}

void Run::finish() {
  device()->pinned().give(block_);
  block_ = {};
  if (timeline_ && !failed()) events_ = executable_->readings();
}

void Run::settle(napi_env env) {
  if (failed())
    promise.reject(env, failure);
  else
    promise.resolve(env, door::numbers(env, events_));
}

void Mark::settle(napi_env env) {
  if (failed())
    promise.reject(env, failure);
  else
    promise.resolve(env, nullptr);
}

void Release::submit(cudaStream_t) { finish(); }

void Release::finish() {
  char* const kept = data_;
  data_ = nullptr;
  // waits for the stream; where the context is lost, memory went with it
  if (kept) static_cast<void>(cudaFree(kept));
}

// ---------------------------------------------------------------- transfers

Transfer::Transfer(napi_env env, napi_value array, size_t pieces) : pieces_(pieces) {
  door::check(napi_create_reference(env, array, 1, &array_));
}

char* Transfer::bytes(napi_env env, size_t offset, size_t length) const {
  napi_value array = nullptr;
  if (array_) door::check(napi_get_reference_value(env, array_, &array));
  void* data = nullptr;
  size_t found = 0;
  if (array) door::check(napi_get_typedarray_info(env, array, nullptr, &found, &data, nullptr, nullptr));
  if (!data || offset + length > found) throw std::invalid_argument("the array was taken away while it was copied");
  return static_cast<char*>(data) + offset;
}

void Transfer::piece_done(napi_env env) {
  if (--pieces_ > 0) return;
  drop(env);
  promise.resolve(env, nullptr);
}

void Transfer::fail(napi_env env, const std::string& why) {
  drop(env);
  promise.reject(env, why);
}

void Transfer::drop(napi_env env) {
  if (array_) static_cast<void>(napi_delete_reference(env, array_));
  array_ = nullptr;
}

// ---------------------------------------------------------------- writes

void WritePiece::submit(cudaStream_t stream) {
  if (is_given_up_) return;
  check(cudaMemcpyAsync(piece_.at, block_.data, piece_.length, cudaMemcpyHostToDevice, stream),
        "write to " + piece_.buffer->label);
}

void WritePiece::finish() {
  if (!block_.data) return;
  const size_t bytes = block_.bytes;
  device()->pinned().give(block_);
  block_ = {};
  device()->stage(Device::kToDevice, -ptrdiff_t(bytes));
}

void WritePiece::settle(napi_env env) {
  if (failed() && piece_.transfer) piece_.transfer->fail(env, failure);
  device()->fill(env, 2);
}

void WritePiece::drop(napi_env env) {
  if (piece_.transfer) piece_.transfer->drop(env);
}

bool WritePiece::fill_from(const char* data) {
  const PinnedBlock block = device()->pinned().take(piece_.length);
  std::memcpy(block.data, data, piece_.length);
  device()->stage(Device::kToDevice, ptrdiff_t(block.bytes));
  bool is_late = false;
  device()->queue().change([&] {
    is_late = is_taken;
    if (!is_late) block_ = block;
  });
  if (!is_late) return true;
  device()->pinned().give(block);
  device()->stage(Device::kToDevice, -ptrdiff_t(block.bytes));
  return false;
}

bool WritePiece::fill(napi_env env) {
  if (!device()->has_place(Device::kToDevice, PinnedPool::size_of(piece_.length))) return false;
  try {
    if (fill_from(piece_.transfer->bytes(env, piece_.array_offset, piece_.length))) piece_.transfer->piece_done(env);
  } catch (const door::Stopped&) {
    throw;
  } catch (const std::exception& error) {
    piece_.transfer->fail(env, error.what());
    // what is behind it in the queue must not wait for ever
    device()->queue().change([this] { is_given_up_ = true; });
  }
  return true;
}

napi_value start_write(napi_env env, const std::shared_ptr<Buffer>& buffer, size_t offset, napi_value array,
                       door::View<uint8_t> data) {
  const auto& device = buffer->device();
  const size_t pieces = (data.length + Device::kPiece - 1) / Device::kPiece;
  // the usual: one piece, taken before this returns
  const size_t bytes = PinnedPool::size_of(data.length);
  if (pieces <= 1 && !device->is_anybody_waiting() && device->has_place(Device::kToDevice, bytes)) {
    if (pieces == 1) {
      auto piece = std::make_shared<WritePiece>(device, Piece{buffer, buffer->data() + offset, data.length, 0, nullptr});
      piece->fill_from(reinterpret_cast<const char*>(data.data));
      device->push(env, std::move(piece));
    }
    Promise at_once;
    const napi_value promise = at_once.make(env);
    at_once.resolve(env, nullptr);
    return promise;
  }
  const auto transfer = std::make_shared<Transfer>(env, array, pieces);
  const napi_value promise = transfer->promise.make(env);
  for (size_t i = 0; i < pieces; i++) {
    const size_t from = i * Device::kPiece, length = std::min(Device::kPiece, data.length - from);
    auto piece = std::make_shared<WritePiece>(device, Piece{buffer, buffer->data() + offset + from, length, from, transfer});
    device->wait_for_place(piece);
    device->push(env, std::move(piece));
  }
  device->fill(env, 8);
  return promise;
}

// ---------------------------------------------------------------- reads

bool ReadPiece::is_ready() { return device()->has_place(Device::kFromDevice, PinnedPool::size_of(piece_.length)); }

void ReadPiece::submit(cudaStream_t stream) {
  block_ = device()->pinned().take(piece_.length);
  device()->stage(Device::kFromDevice, ptrdiff_t(block_.bytes));
  check(cudaMemcpyAsync(block_.data, piece_.at, piece_.length, cudaMemcpyDeviceToHost, stream),
        "read from " + piece_.buffer->label);
}

void ReadPiece::settle(napi_env env) {
  if (!failed()) {
    try {
      std::memcpy(piece_.transfer->bytes(env, piece_.array_offset, piece_.length), block_.data, piece_.length);
      piece_.transfer->piece_done(env);
    } catch (const door::Stopped&) {
      throw;
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }
  if (failed()) piece_.transfer->fail(env, failure);
  give_back();
}

void ReadPiece::drop(napi_env env) { piece_.transfer->drop(env); }

void ReadPiece::give_back() {
  if (!block_.data) return;
  const size_t bytes = block_.bytes;
  device()->pinned().give(block_);
  block_ = {};
  device()->stage(Device::kFromDevice, -ptrdiff_t(bytes));
}

napi_value start_read(napi_env env, const std::shared_ptr<Buffer>& buffer, size_t offset, napi_value array,
                      door::View<uint8_t> target) {
  const auto& device = buffer->device();
  const size_t pieces = (target.length + Device::kPiece - 1) / Device::kPiece;
  const auto transfer = std::make_shared<Transfer>(env, array, pieces);
  const napi_value promise = transfer->promise.make(env);
  for (size_t i = 0; i < pieces; i++) {
    const size_t from = i * Device::kPiece, length = std::min(Device::kPiece, target.length - from);
    device->push(env, std::make_shared<ReadPiece>(device, Piece{buffer, buffer->data() + offset + from, length, from, transfer}));
  }
  if (pieces == 0) {
    transfer->drop(env);
    transfer->promise.resolve(env, nullptr);
  }
  return promise;
}
