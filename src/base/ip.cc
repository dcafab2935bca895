#include "base/ip.h"

#include <arpa/inet.h>

#include <algorithm>

namespace midonet {

Result<Ip> Ip::parse(std::string_view text) {
  const std::string terminated(text.substr(0, 64));
  Ip ip;
  if (::inet_pton(AF_INET, terminated.c_str(), ip.bytes_.data()) == 1) return ip;
  ip.length_ = 16;
  if (terminated.size() == text.size() && ::inet_pton(AF_INET6, terminated.c_str(), ip.bytes_.data()) == 1) return ip;
  return fail(Code::invalid, "'{}' is not an IP address", terminated);
}

Ip Ip::v4(const std::array<std::uint8_t, 4>& bytes) {
  Ip ip;
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  return ip;
}

Ip Ip::v6(const std::array<std::uint8_t, 16>& bytes) {
  Ip ip;
  ip.bytes_ = bytes;
  ip.length_ = 16;
  return ip;
}

std::string Ip::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

}  // namespace midonet
