#include "store/path.h"

#include <cstdint>
#include <optional>

#include "base/utf8.h"

namespace midonet::store {
namespace {

// The path comes from the caller: quote it without what would garble a log.
std::string quoted(std::string_view path) {
  std::string out = "\"";
  for (const char c : path.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + (path.size() > 200 ? "…\"" : "\"");
}

}  // namespace

Status check_path(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return fail(Code::invalid, "path {}: does not begin with a slash", quoted(path));
  }
  if (path.size() == 1) return {};
  std::string_view rest = path.substr(1);
  while (true) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part.empty()) return fail(Code::invalid, "path {}: has an empty part", quoted(path));
    if (part == "." || part == "..") return fail(Code::invalid, "path {}: has a part \"{}\"", quoted(path), part);
    for (std::string_view text = part; !text.empty();) {
      const std::optional<char32_t> character = take_character(text);
      if (!character) return fail(Code::invalid, "path {}: is not UTF-8", quoted(path));
      if (!is_path_character(*character)) {
        return fail(Code::invalid, "path {}: has the character U+{:04X}, which no path may have", quoted(path),
                    static_cast<std::uint32_t>(*character));
      }
    }
    if (part.size() == rest.size()) return {};
    rest.remove_prefix(part.size() + 1);
  }
}

std::string_view parent_of(std::string_view path) {
  if (path.size() <= 1) return {};
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

std::string_view name_of(std::string_view path) {
  if (path.size() <= 1) return {};
  return path.substr(path.rfind('/') + 1);
}

}  // namespace midonet::store
