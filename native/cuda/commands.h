// The commands of a device (command.h).
#pragma once
#include "command.h"
#include "device.h"
#include "program.h"

// A promise that is kept once.
class Promise {
 public:
  // The promise to give to JavaScript.
  napi_value make(napi_env env);
  void resolve(napi_env env, napi_value value);
  void reject(napi_env env, const std::string& message);

 private:
  napi_deferred deferred_ = nullptr;
};

class Run : public Command {
 public:
  Run(std::shared_ptr<Executable> executable, std::shared_ptr<Device> device, std::vector<Word> words, bool timeline)
      : Command(std::move(device)), executable_(std::move(executable)), words_(std::move(words)), timeline_(timeline) {}
  void submit(cudaStream_t stream) override;
  void finish() override;
  void settle(napi_env env) override;
  std::string program() const override { return executable_->name(); }
  bool is_run() const override { return true; }
  // its events are those of the next one
  bool is_alone() const override { return timeline_; }

  Promise promise;

 private:
  std::shared_ptr<Executable> executable_;
  std::vector<Word> words_;
  bool timeline_;
  PinnedBlock block_;
  std::vector<double> events_;
};

// Waits for all that came before.
class Mark : public Command {
 public:
  using Command::Command;
  void submit(cudaStream_t) override {}
  void settle(napi_env env) override;

  Promise promise;
};

// Gives memory back once nothing before it can use it.
class Release : public Command {
 public:
  Release(std::shared_ptr<Device> device, char* data) : Command(std::move(device)), data_(data) {}
  void submit(cudaStream_t stream) override;
  void finish() override;

 private:
  char* data_;
};

// A write or a read as JavaScript asked for it: an array of JavaScript and the promise. Its pieces share it.
class Transfer {
 public:
  Transfer(napi_env env, napi_value array, size_t pieces);
  // Where the array's bytes are now. Throws when it has been taken away.
  char* bytes(napi_env env, size_t offset, size_t length) const;
  // One piece is done.
  void piece_done(napi_env env);
  void fail(napi_env env, const std::string& why);
  void drop(napi_env env);

  Promise promise;

 private:
  napi_ref array_ = nullptr;
  size_t pieces_;
};

// A range of device memory with the array that goes there or comes from there.
struct Piece {
  std::shared_ptr<Buffer> buffer;
  char* at;  // on the device; a buffer that is freed meanwhile knows it no more
  size_t length;
  size_t array_offset;
  std::shared_ptr<Transfer> transfer;
};

class WritePiece : public Command {
 public:
  WritePiece(std::shared_ptr<Device> device, Piece piece) : Command(std::move(device)), piece_(std::move(piece)) {}
  bool is_ready() override { return block_.data != nullptr || is_given_up_; }
  void submit(cudaStream_t stream) override;
  void finish() override;
  void settle(napi_env env) override;
  void drop(napi_env env) override;

  // Takes a block and the data from JavaScript; false if there is no place for it yet.
  bool fill(napi_env env);
  // Does so from memory that is at hand; false if the piece has failed meanwhile.
  bool fill_from(const char* data);

 private:
  Piece piece_;
  PinnedBlock block_;
  bool is_given_up_ = false;
};

class ReadPiece : public Command {
 public:
  ReadPiece(std::shared_ptr<Device> device, Piece piece) : Command(std::move(device)), piece_(std::move(piece)) {}
  ~ReadPiece() override { give_back(); }
  bool is_ready() override;
  void submit(cudaStream_t stream) override;
  void settle(napi_env env) override;
  void drop(napi_env env) override;

 private:
  void give_back();

  Piece piece_;
  PinnedBlock block_;
};

// Both return the promise.
napi_value start_write(napi_env env, const std::shared_ptr<Buffer>& buffer, size_t offset, napi_value array,
                       door::View<uint8_t> data);
napi_value start_read(napi_env env, const std::shared_ptr<Buffer>& buffer, size_t offset, napi_value array,
                      door::View<uint8_t> target);
