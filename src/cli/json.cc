#include "cli/json.h"

#include "base/json.h"

namespace midonet::cli {

const Json& member_of(const Json& object, const char* key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

std::string text_of(const Json& object, const char* key) {
  const Json& value = member_of(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool flag_of(const Json& object, const char* key) {
  const Json& value = member_of(object, key);
  return value.is_boolean() && value.get<bool>();
}

}  // namespace midonet::cli
