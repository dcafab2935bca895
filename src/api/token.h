// Signed tokens: they say whose they are and until when, so that no server has to remember them. Pure.
//
//   <expiry, seconds since 1970, hex>.<name, base64url>.<HMAC-SHA256 over both and `bound_to`, base64url>
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace midonet::api {

inline constexpr std::size_t token_key_bytes = 32;

// From the kernel's generator.
std::string random_token_key();

// `bound_to`: what the token is worthless without: the hash of the user's password, so that a new one ends all tokens.
std::string make_token(std::string_view key, const std::string& name, std::chrono::system_clock::time_point expires,
                       std::string_view bound_to);

// The name, when the token is genuine and not over. `bound_to` gives that of a name; nothing: there is no such user.
std::optional<std::string> check_token(std::string_view key, std::string_view token,
                                       std::chrono::system_clock::time_point now,
                                       const std::function<std::optional<std::string>(const std::string&)>& bound_to);

}  // namespace midonet::api
