// Node-API as the addon uses it: every status is checked, and nothing is thrown where nobody can catch it.
//
// JavaScript may end at any moment, since a worker is terminated from another thread. From then on Node-API refuses
// whatever would run JavaScript, the throwing of an Error included: in the middle of a call, and in completions that
// come later. Such a refusal is a `Stopped` here, and whoever calls back into the addon gets an empty result: either
// nobody is left who would look at it, or an exception of JavaScript is pending. Every std::exception becomes an Error.
// node-addon-api throws in that state from where nobody catches it, which ends the process; hence plain Node-API, but for the registration of the module (addon.cc).
#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace door {

// JavaScript has ended, or an exception of its own is pending.
struct Stopped {};

// Throws std::invalid_argument when JavaScript gave something else than `expected`, and Stopped when it has ended.
void check(napi_status status, const char* expected = "a value of another type");

// Elements of a typed array. The memory is JavaScript's: good until the call returns.
template <class T>
struct View {
  T* data;
  size_t length;
};

// The arguments of a call, each of which must be what it is asked for as.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info);

  napi_env env() const { return env_; }
  napi_value operator[](size_t i) const { return values_[i]; }
  std::string text(size_t i) const;
  bool boolean(size_t i) const;
  // A whole number, at most 2^53.
  uint64_t count(size_t i) const;
  View<uint8_t> bytes(size_t i) const;
  View<uint32_t> words(size_t i) const;
  View<double> numbers(size_t i) const;
  std::vector<napi_value> list(size_t i) const;
  std::vector<std::string> texts(size_t i) const;

 private:
  static constexpr size_t kMost = 8;
  std::string text_of(napi_value value) const;
  template <class T>
  View<T> view(size_t i, napi_typedarray_type type, const char* expected) const;

  napi_env env_;
  napi_value values_[kMost] = {};
};

napi_value text(napi_env env, const std::string& value);
napi_value number(napi_env env, double value);
// A Float64Array.
napi_value numbers(napi_env env, const std::vector<double>& values);
napi_value list(napi_env env, const std::vector<napi_value>& values);
napi_value object(napi_env env);
void set(napi_env env, napi_value object, const char* name, napi_value value);
napi_value error(napi_env env, const char* message);

// Tells the garbage collector of bytes that a handle keeps, or keeps no longer.
void count_external(napi_env env, int64_t bytes);

// A function of the addon; a null pointer is undefined.
using Function = napi_value (*)(const Arguments&);
napi_value guard(napi_env env, napi_callback_info info, Function function);

template <Function function>
void add(napi_env env, napi_value exports, const char* name) {
  napi_value value;
  const napi_callback call = [](napi_env e, napi_callback_info info) { return guard(e, info, function); };
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &value));
  set(env, exports, name, value);
}

}  // namespace door
