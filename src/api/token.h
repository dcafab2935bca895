// Signed tokens: a token contains its user's name and its expiry, so that no server has to remember it. Pure.
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

// `bound_to`: the hash of the user's password, which the signature covers, so that a new password ends all tokens.
std::string make_token(std::string_view key, const std::string& name, std::chrono::system_clock::time_point expires,
                       std::string_view bound_to);

// The name, if the token is genuine and not over. `bound_to` gives the hash of a name; nothing: there is no such user.
std::optional<std::string> check_token(std::string_view key, std::string_view token,
                                       std::chrono::system_clock::time_point now,
                                       const std::function<std::optional<std::string>(const std::string&)>& bound_to);

}  // namespace midonet::api
