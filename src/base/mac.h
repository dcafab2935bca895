// An IEEE 802 MAC address, six bytes in transmission order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet {

class Mac {
 public:
  Mac() = default;
  explicit Mac(const std::array<std::uint8_t, 6>& bytes) : bytes_(bytes) {}

  // Six pairs of hexadecimal digits, all separated by ':' or all by '-' (the form in URIs). Code::invalid otherwise.
  static Result<Mac> parse(std::string_view text);

  const std::array<std::uint8_t, 6>& bytes() const { return bytes_; }
  bool is_multicast() const { return (bytes_[0] & 1) != 0; }  // group bit, IEEE 802-2014 section 8.2.2; broadcast too
  bool is_zero() const { return *this == Mac{}; }
  std::string to_string() const;  // lower case, with ':'
  std::string with_dashes() const;
  auto operator<=>(const Mac&) const = default;

 private:
  std::array<std::uint8_t, 6> bytes_{};
};

}  // namespace midonet

template <>
struct std::hash<midonet::Mac> {
  std::size_t operator()(const midonet::Mac& mac) const noexcept {
    std::size_t h = 0;
    for (const std::uint8_t b : mac.bytes()) h = h << 8 | b;
    return h * 0x9e3779b97f4a7c15ULL;
  }
};

template <>
struct fmt::formatter<midonet::Mac> : fmt::formatter<std::string> {
  auto format(const midonet::Mac& mac, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(mac.to_string(), ctx);
  }
};
