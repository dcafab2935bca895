#include "api/login.h"

#include <strings.h>

#include <chrono>

#include "base/json.h"
#include "base/time.h"
#include "base/uuid.h"

namespace midonet::api {

namespace {

constexpr auto token_life = std::chrono::hours(24);

// RFC 4648 section 4, with its padding; nothing for anything else.
std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t bits = 0;
    std::size_t padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const bool pads = c == '=' && i + 4 == text.size() && k >= 2;
      const std::size_t digit = pads ? 0 : digits.find(c);
      if (digit == std::string_view::npos || (!pads && padding > 0)) return std::nullopt;
      padding += pads ? 1 : 0;
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) out += static_cast<char>(bits >> (16 - 8 * k) & 0xff);
  }
  return out;
}

// The user's name in "Basic <base64 of name:password>" (RFC 7617).
std::optional<std::string> user_of(const std::string& authorization) {
  constexpr std::string_view scheme = "Basic ";
  if (::strncasecmp(authorization.c_str(), scheme.data(), scheme.size()) != 0) return std::nullopt;
  const auto credentials = base64_decode(std::string_view(authorization).substr(scheme.size()));
  const std::size_t colon = credentials ? credentials->find(':') : std::string::npos;
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  return credentials->substr(0, colon);
}

void login(const Call& call, const Reply& reply) {
  const auto authorization = call.header("authorization");
  if (!authorization) return reply(fail(Code::unauthenticated, "Basic authentication is needed to log in."));
  if (!user_of(*authorization)) return reply(fail(Code::unauthenticated, "The credentials are ill-formed."));
  const std::string token = Uuid::random().to_string();
  const nlohmann::ordered_json body = {{"key", token},
                                       {"expires", rfc3339(std::chrono::system_clock::now() + token_life)}};
  Answer answer = ok(body.dump(), call.media_type);
  answer.headers.emplace("Set-Cookie", "sessionId=" + token + "; Path=" + root);
  reply(std::move(answer));
}

}  // namespace

void add_login(Router& router) {
  router.add({.method = "POST",
              .path = root + "/login",
              .name = "login",
              .summary = "Get a token for a name and a password",
              .produces = {"application/vnd.org.midonet.Token-v1+json"},
              .handler = login});
}

}  // namespace midonet::api
