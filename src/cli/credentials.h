// The operator's credentials, for an API with logins (`--auth` of midonet-api). Blocking.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet::cli {

// A token, or a user with a password. All empty: no login.
struct Credentials {
  std::string token{};
  std::string user{}, password{}, project{};  // project: for Keystone; empty: the API's own choice

  bool nobody() const { return token.empty() && user.empty(); }
};

// invalid: a user without a password, or characters that a header cannot have.
Status check(const Credentials& credentials);

// The first line of the file, without its end. forbidden: a regular file that others than its owner may read or write.
Result<std::string> read_password(const std::string& path);

// "Basic YWxpY2U6c2VjcmV0" (RFC 7617).
std::string basic_authorization(std::string_view user, std::string_view password);

}  // namespace midonet::cli
