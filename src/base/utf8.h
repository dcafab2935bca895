// Characters of UTF-8 text (RFC 3629), and which of them a node's name in the store may have. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace midonet {

// Takes one character from the front of `text`, which is not empty; nothing when it is ill-formed.
std::optional<char32_t> take_character(std::string_view& text);

// What ZooKeeper allows in a path (its PathUtils): no control characters, no surrogates, no private use, no specials, and
// nothing beyond 16 bits, which ZooKeeper takes for surrogates.
bool is_path_character(char32_t character);

}  // namespace midonet
