#include "door.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

namespace door {

void check(napi_status status, const char* expected) {
  switch (status) {
    case napi_ok:
      return;
    // a terminated worker reports the first, too
    case napi_pending_exception:
    case napi_cannot_run_js:
    case napi_closing:
      throw Stopped();
    case napi_invalid_arg:
    case napi_object_expected:
    case napi_string_expected:
    case napi_number_expected:
    case napi_boolean_expected:
    case napi_array_expected:
      throw std::invalid_argument(std::string("expected ") + expected);
    default:
      throw std::runtime_error("Node-API gave status " + std::to_string(int(status)));
  }
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  // those that are missing are undefined
  size_t count = kMost;
  check(napi_get_cb_info(env, info, &count, values_, nullptr, nullptr));
}

std::string Arguments::text_of(napi_value from) const {
  size_t length = 0;
  check(napi_get_value_string_utf8(env_, from, nullptr, 0, &length), "a string");
  std::string value(length, '\0');
  // the terminating zero has its place in a std::string
  check(napi_get_value_string_utf8(env_, from, &value[0], length + 1, &length), "a string");
  return value;
}

std::string Arguments::text(size_t i) const { return text_of(values_[i]); }

bool Arguments::boolean(size_t i) const {
  bool value;
  check(napi_get_value_bool(env_, values_[i], &value), "a boolean");
  return value;
}

uint64_t Arguments::count(size_t i) const {
  constexpr double kMostExact = 9007199254740992.0;
  double value;
  check(napi_get_value_double(env_, values_[i], &value), "a number");
  if (!(value >= 0 && value <= kMostExact && value == std::floor(value)))
    throw std::invalid_argument("expected a whole number, found " + std::to_string(value));
  return uint64_t(value);
}

template <class T>
View<T> Arguments::view(size_t i, napi_typedarray_type type, const char* expected) const {
  napi_typedarray_type found;
  void* data = nullptr;
  size_t length = 0;
  check(napi_get_typedarray_info(env_, values_[i], &found, &length, &data, nullptr, nullptr), expected);
  if (found != type) throw std::invalid_argument(std::string("expected ") + expected);
  return {static_cast<T*>(data), length};
}

View<uint8_t> Arguments::bytes(size_t i) const { return view<uint8_t>(i, napi_uint8_array, "a Uint8Array"); }
View<uint32_t> Arguments::words(size_t i) const { return view<uint32_t>(i, napi_uint32_array, "a Uint32Array"); }
View<double> Arguments::numbers(size_t i) const { return view<double>(i, napi_float64_array, "a Float64Array"); }

std::vector<napi_value> Arguments::list(size_t i) const {
  uint32_t length = 0;
  check(napi_get_array_length(env_, values_[i], &length), "an array");
  std::vector<napi_value> values(length);
  for (uint32_t n = 0; n < length; n++) check(napi_get_element(env_, values_[i], n, &values[n]));
  return values;
}

std::vector<std::string> Arguments::texts(size_t i) const {
  std::vector<std::string> found;
  for (const napi_value value : list(i)) found.push_back(text_of(value));
  return found;
}

napi_value text(napi_env env, const std::string& value) {
  napi_value result;
  check(napi_create_string_utf8(env, value.data(), value.size(), &result));
  return result;
}

napi_value number(napi_env env, double value) {
  napi_value result;
  check(napi_create_double(env, value, &result));
  return result;
}

napi_value numbers(napi_env env, const std::vector<double>& values) {
  napi_value buffer, result;
  void* data = nullptr;
  check(napi_create_arraybuffer(env, values.size() * sizeof(double), &data, &buffer));
  // an empty one has no address
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(double));
  check(napi_create_typedarray(env, napi_float64_array, values.size(), buffer, 0, &result));
  return result;
}

napi_value list(napi_env env, const std::vector<napi_value>& values) {
  napi_value result;
  check(napi_create_array_with_length(env, values.size(), &result));
  for (size_t i = 0; i < values.size(); i++) check(napi_set_element(env, result, uint32_t(i), values[i]));
  return result;
}

napi_value object(napi_env env) {
  napi_value result;
  check(napi_create_object(env, &result));
  return result;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  check(napi_set_named_property(env, object, name, value));
}

napi_value error(napi_env env, const char* message) {
  napi_value result;
  check(napi_create_error(env, nullptr, text(env, message), &result));
  return result;
}

void count_external(napi_env env, int64_t bytes) {
  int64_t total;
  // a hint: nothing depends on it
  static_cast<void>(napi_adjust_external_memory(env, bytes, &total));
}

napi_value guard(napi_env env, napi_callback_info info, Function function) {
  try {
    return function(Arguments(env, info));
  } catch (const Stopped&) {
  } catch (const std::exception& e) {
    // refused where JavaScript has ended: nobody is there to see it
    static_cast<void>(napi_throw_error(env, nullptr, e.what()));
  }
  return nullptr;
}

}  // namespace door
