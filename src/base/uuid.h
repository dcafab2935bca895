// A 128-bit identifier (RFC 4122), written as 8-4-4-4-12 lower-case hexadecimal digits. Ids of hosts, bridges, ports.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet {

class Uuid {
 public:
  Uuid() = default;
  explicit Uuid(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

  // Accepts upper and lower case, exactly 36 characters. Code::invalid otherwise.
  static Result<Uuid> parse(std::string_view text);
  // Version 4, from the kernel's random numbers.
  static Uuid random();

  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  // network byte order
  std::string to_string() const;
  bool is_nil() const { return *this == Uuid{}; }
  auto operator<=>(const Uuid&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace midonet

template <>
struct std::hash<midonet::Uuid> {
  std::size_t operator()(const midonet::Uuid& id) const noexcept {
    std::size_t h = 0;
    std::memcpy(&h, id.bytes().data(), sizeof h);
    return h;
  }
};

template <>
struct fmt::formatter<midonet::Uuid> : fmt::formatter<std::string> {
  auto format(const midonet::Uuid& id, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(id.to_string(), ctx);
  }
};
