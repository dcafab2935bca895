#include "base/utf8.h"

#include <cstdint>

namespace midonet {

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

bool is_path_character(char32_t character) {
  if (character < 0x20 || (character >= 0x7f && character <= 0x9f)) return false;  // control characters
  if (character >= 0xd800 && character <= 0xf8ff) return false;                    // surrogates, private use
  return character < 0xfff0;
}

}  // namespace midonet
