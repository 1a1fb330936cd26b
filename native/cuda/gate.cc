#include "gate.h"

#include "command.h"
#include "door.h"

void Gate::open(napi_env env) {
  auto context = std::make_unique<std::shared_ptr<Gate>>(shared_from_this());
  const auto ended = [](napi_env, void* data, void*) {
    const std::unique_ptr<std::shared_ptr<Gate>> gate(static_cast<std::shared_ptr<Gate>*>(data));
    const std::lock_guard<std::mutex> lock((*gate)->mutex_);
    (*gate)->function_ = nullptr;
  };
  const auto called = [](napi_env e, napi_value, void* data, void*) {
    // none while the environment ends
    if (!e) return;
    const std::shared_ptr<Gate> gate = *static_cast<std::shared_ptr<Gate>*>(data);
    gate->drain(e);
  };
  napi_threadsafe_function made;
  door::check(napi_create_threadsafe_function(env, nullptr, nullptr, door::text(env, "bioalbert cuda"), 0, 1, context.get(), ended,
                                              context.get(), called, &made));
  context.release();
  door::check(napi_unref_threadsafe_function(env, made));
  const std::lock_guard<std::mutex> lock(mutex_);
  function_ = made;
}

void Gate::expect(napi_env env) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (expected_++ == 0 && function_) static_cast<void>(napi_ref_threadsafe_function(env, function_));
}

void Gate::add(std::shared_ptr<Command> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  done_.push_back(std::move(done));
  // without a limit of its queue it never blocks
  if (function_) static_cast<void>(napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking));
}

void Gate::drain(napi_env env) {
  std::deque<std::shared_ptr<Command>> done = take();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    expected_ -= done.size();
    if (expected_ == 0 && function_ && !done.empty()) static_cast<void>(napi_unref_threadsafe_function(env, function_));
  }
  for (; !done.empty(); done.pop_front()) {
    try {
      done.front()->settle(env);
    } catch (const door::Stopped&) {
      // nobody awaits it any longer
    } catch (const std::exception&) {
      // not even an Error could be made
    }
  }
}

std::deque<std::shared_ptr<Command>> Gate::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::deque<std::shared_ptr<Command>> done;
  done.swap(done_);
  return done;
}

void Gate::close() {
  napi_threadsafe_function open = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(open, function_);
  }
  if (open) static_cast<void>(napi_release_threadsafe_function(open, napi_tsfn_abort));
}

void Gate::mute() {
  const std::lock_guard<std::mutex> lock(mutex_);
  function_ = nullptr;
}
