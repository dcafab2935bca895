#include "base/interface_name.h"

#include <net/if.h>

#include <cstdint>

#include "base/utf8.h"

namespace midonet {

Status check_interface_name(std::string_view name) {
  if (name.empty()) return fail(Code::invalid, "an interface name may not be empty");
  if (name.size() >= IFNAMSIZ)
    return fail(Code::invalid, "the interface name '{}' is longer than {} bytes", name.substr(0, 64), IFNAMSIZ - 1);
  if (name == "." || name == "..") return fail(Code::invalid, "'{}' is not an interface name", name);
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '/' || byte == ':' || byte <= ' ' || byte == 0x7f)
      return fail(Code::invalid, "the interface name '{}' contains '/', ':', white space or a control character", name);
  }
  for (std::string_view rest = name; !rest.empty();) {
    const std::optional<char32_t> character = take_character(rest);
    if (!character) return fail(Code::invalid, "the interface name is not UTF-8");
    if (!is_path_character(*character))
      return fail(Code::invalid, "the interface name '{}' has the character U+{:04X}, which cannot be recorded", name,
                  static_cast<std::uint32_t>(*character));
  }
  return {};
}

std::string printable(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

}  // namespace midonet
