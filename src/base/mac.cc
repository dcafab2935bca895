#include "base/mac.h"

#include <charconv>

namespace midonet {

Result<Mac> Mac::parse(std::string_view text) {
  const auto bad = [&] { return fail(Code::invalid, "'{}' is not a MAC address", text.substr(0, 64)); };
  if (text.size() != 17 || (text[2] != ':' && text[2] != '-')) return bad();
  std::array<std::uint8_t, 6> bytes{};
  for (std::size_t i = 0; i < 6; ++i) {
    const char* at = text.data() + i * 3;
    const auto [end, error] = std::from_chars(at, at + 2, bytes[i], 16);
    if (error != std::errc{} || end != at + 2) return bad();
    if (i < 5 && at[2] != text[2]) return bad();
  }
  return Mac(bytes);
}

std::string Mac::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2], bytes_[3], bytes_[4],
                     bytes_[5]);
}

std::string Mac::with_dashes() const {
  std::string out = to_string();
  for (char& c : out)
    if (c == ':') c = '-';
  return out;
}

}  // namespace midonet
