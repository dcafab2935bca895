#include "api/token.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <cstdlib>

namespace midonet::api {

namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += digits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += digits[bits << (6 - count) & 63];
  return out;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

std::string signature(std::string_view key, std::string_view claims, std::string_view bound_to) {
  std::string text(claims);
  text.append(1, '\0').append(bound_to);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(), mac.data(), &length) == nullptr)
    std::abort();
  return base64url({reinterpret_cast<const char*>(mac.data()), length});
}

}  // namespace

std::string random_token_key() {
  std::array<unsigned char, token_key_bytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  return base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string make_token(std::string_view key, const std::string& name, std::chrono::system_clock::time_point expires,
                       std::string_view bound_to) {
  const std::string claims = fmt::format("{:x}.{}", std::chrono::system_clock::to_time_t(expires), base64url(name));
  return claims + "." + signature(key, claims, bound_to);
}

std::optional<std::string> check_token(std::string_view key, std::string_view token,
                                       std::chrono::system_clock::time_point now,
                                       const std::function<std::optional<std::string>(const std::string&)>& bound_to) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto name = base64url_decode(token.substr(first + 1, second - first - 1));
  std::int64_t expires = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + first, expires, 16);
  if (!name || error != std::errc() || end != token.data() + first) return std::nullopt;
  const auto bound = bound_to(*name);
  const std::string expected = signature(key, token.substr(0, second), bound.value_or(""));
  const std::string_view given = token.substr(second + 1);
  const bool genuine =
      given.size() == expected.size() && CRYPTO_memcmp(given.data(), expected.data(), expected.size()) == 0;
  if (!bound || !genuine || expires <= std::chrono::system_clock::to_time_t(now)) return std::nullopt;
  return name;
}

}  // namespace midonet::api
