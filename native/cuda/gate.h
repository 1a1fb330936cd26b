// The way from the threads of a device back to JavaScript: commands that are done gather here, and the thread of
// JavaScript comes and settles them.
//
// Node deletes a thread-safe function when its environment ends, whoever still holds it; so it is called under a mutex that
// its finalizer takes, and never after. It keeps the process alive only while commands are awaited.
#pragma once
#include <node_api.h>

#include <deque>
#include <memory>
#include <mutex>

class Command;

class Gate : public std::enable_shared_from_this<Gate> {
 public:
  // On the thread of JavaScript, each of these but `add`.
  void open(napi_env env);
  // One more command will come.
  void expect(napi_env env);
  // From any thread.
  void add(std::shared_ptr<Command> done);
  // Settles what has come.
  void drain(napi_env env);
  // Takes what has come, settled by nobody.
  std::deque<std::shared_ptr<Command>> take();
  // Nothing is settled from here on but by `drain`.
  void close();
  // Calls JavaScript no more, since the process ends. From any thread.
  void mute();

 private:
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
  std::deque<std::shared_ptr<Command>> done_;
  size_t expected_ = 0;
};
