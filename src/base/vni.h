// A VXLAN Network Identifier (RFC 7348 section 4): 24 bits, host byte order here. 0 is never given to a bridge.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "base/result.h"

namespace midonet {

class Vni {
 public:
  static constexpr std::uint32_t max = 0xff'ffff;

  Vni() = default;
  static Result<Vni> from(std::uint64_t number) {
    if (number == 0 || number > max) return fail(Code::invalid, "{} is not a VNI (1 to {})", number, max);
    Vni vni;
    vni.number_ = static_cast<std::uint32_t>(number);
    return vni;
  }

  std::uint32_t number() const { return number_; }
  auto operator<=>(const Vni&) const = default;

 private:
  std::uint32_t number_ = 0;
};

}  // namespace midonet

template <>
struct std::hash<midonet::Vni> {
  std::size_t operator()(const midonet::Vni& vni) const noexcept { return vni.number(); }
};

template <>
struct fmt::formatter<midonet::Vni> : fmt::formatter<std::uint32_t> {
  auto format(const midonet::Vni& vni, fmt::format_context& ctx) const {
    return fmt::formatter<std::uint32_t>::format(vni.number(), ctx);
  }
};
