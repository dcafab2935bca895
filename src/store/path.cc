#include "store/path.h"

#include <cstdint>
#include <optional>

namespace midonet::store {
namespace {

// Takes one UTF-8 character (RFC 3629) from the front of `text`; nothing when it is ill formed.
std::optional<char32_t> take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xc2 ? 0
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                           : first < 0xf5 ? 4
                                          : 0;
  if (size == 0 || text.size() < size) return std::nullopt;
  char32_t character = size == 1 ? first : first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    character = character << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (character < smallest[size] || character > 0x10ffff) return std::nullopt;
  text.remove_prefix(size);
  return character;
}

bool allowed(char32_t character) {
  if (character < 0x20 || (character >= 0x7f && character <= 0x9f)) return false;  // control characters
  if (character >= 0xd800 && character <= 0xf8ff) return false;                    // surrogates, private use
  return character < 0xfff0;  // specials, and what is beyond 16 bits, which ZooKeeper takes for surrogates
}

// The path comes from whoever called us: quote it without what would garble a log.
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
      if (!allowed(*character)) {
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
