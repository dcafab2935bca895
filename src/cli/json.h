// Reading the API's answers without trusting their shape.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace midonet::cli {

using Json = nlohmann::json;

// The members of an answer, whatever an API sends: "" for a string that is absent, null or no string, and so on.
std::string text_of(const Json& object, const char* key);
bool flag_of(const Json& object, const char* key);
const Json& member_of(const Json& object, const char* key);  // null when absent

}  // namespace midonet::cli
