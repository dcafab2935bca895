// Configuration files of all programs: lines `key = value`, sections `[name]`, comments from a '#' or ';' at the beginning
// of a line or a '#' after a blank. A value is bare or in one pair of quotes; it is one value, whatever separators it has. A
// key alone is a switch. An underscore in a key means a hyphen. Bytes are taken as they are.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midonet {

struct ConfigLine {
  int number = 0;       // from 1
  std::string section;  // "" before the first `[name]`
  std::string key;
  std::optional<std::string> value;  // none: a key alone
};

// Every line that is no comment. `file` is for messages: "FILE:LINE: what is wrong" (invalid).
Result<std::vector<ConfigLine>> parse_config(std::string_view text, const std::string& file);

// "unknown key 'stor'; did you mean 'store'?", with the nearest of the known keys if one is near.
std::string unknown_key(std::string_view key, std::span<const std::string> known);

}  // namespace midonet
