// Handles: objects of the addon that JavaScript holds. Each is type-tagged and holds a shared_ptr, so a run that is under
// way keeps what it uses alive, whatever JavaScript closes, drops or leaves behind at its end.
#pragma once
#include <memory>
#include <stdexcept>
#include <string>

#include "door.h"

// T has `static const napi_type_tag kTag`, `static const char* const kName` and `int64_t external_bytes() const`: what
// the garbage collector should know of.
template <class T>
napi_value wrap(napi_env env, std::shared_ptr<T> object) {
  const auto finalize = [](napi_env e, void* data, void*) {
    auto* held = static_cast<std::shared_ptr<T>*>(data);
    // one that nobody closed by hand still counts
    if (*held) door::count_external(e, -(*held)->external_bytes());
    delete held;
  };
  auto held = std::make_unique<std::shared_ptr<T>>(std::move(object));
  napi_value handle;
  door::check(napi_create_external(env, held.get(), finalize, nullptr, &handle));
  const auto* owned = held.release();
  door::count_external(env, (*owned)->external_bytes());
  door::check(napi_type_tag_object(env, handle, &T::kTag));
  return handle;
}

// Whether a value is a handle of a T, closed or not.
template <class T>
bool is_handle(napi_env env, napi_value value) {
  napi_valuetype type;
  door::check(napi_typeof(env, value, &type));
  bool is_tagged = false;
  if (type == napi_external) door::check(napi_check_object_type_tag(env, value, &T::kTag, &is_tagged));
  return is_tagged;
}

// What the handle holds: empty once it is closed.
template <class T>
std::shared_ptr<T>& held(napi_env env, napi_value value) {
  if (!is_handle<T>(env, value)) throw std::invalid_argument(std::string("expected a handle of ") + T::kName);
  void* data;
  door::check(napi_get_value_external(env, value, &data));
  return *static_cast<std::shared_ptr<T>*>(data);
}

template <class T>
std::shared_ptr<T> unwrap(napi_env env, napi_value value) {
  const std::shared_ptr<T> object = held<T>(env, value);
  if (!object) throw std::invalid_argument(std::string(T::kName) + " was closed");
  return object;
}

// Lets go of the object; nothing if that was done before.
template <class T>
void close(napi_env env, napi_value value) {
  std::shared_ptr<T>& object = held<T>(env, value);
  if (object) door::count_external(env, -object->external_bytes());
  object.reset();
}
