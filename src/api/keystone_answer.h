// Keystone's answer to POST and GET /v3/auth/tokens (Identity API v3): when a token expires, and whether it has a role that may use
// this API. A pure function.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midonet::api {

struct KeystoneToken {
  std::chrono::system_clock::time_point expires;
  bool admin = false;  // one of its roles is an admin role
  bool operator==(const KeystoneToken&) const = default;
};

// Nothing if the body is no such answer.
std::optional<KeystoneToken> parse_keystone_answer(std::string_view body, const std::vector<std::string>& admin_roles);

}  // namespace midonet::api
