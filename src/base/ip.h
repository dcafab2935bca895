// An IPv4 or IPv6 address without port, prefix or zone.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet {

class Ip {
 public:
  // The forms of inet_pton(3). Code::invalid otherwise.
  static Result<Ip> parse(std::string_view text);
  static Ip v4(const std::array<std::uint8_t, 4>& bytes);
  static Ip v6(const std::array<std::uint8_t, 16>& bytes);

  bool is_v4() const { return length_ == 4; }
  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), length_}; }  // 4 or 16, network byte order
  std::string to_string() const;
  auto operator<=>(const Ip&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  std::uint8_t length_ = 4;
};

}  // namespace midonet

template <>
struct fmt::formatter<midonet::Ip> : fmt::formatter<std::string> {
  auto format(const midonet::Ip& ip, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(ip.to_string(), ctx);
  }
};
