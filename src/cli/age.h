// The age of something, for people: "12s", "3m", "5h", "12d".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace midonet::cli {

// RFC 3339 in UTC ("…Z"), with or without a fraction; nullopt for anything else.
std::optional<WallTime> parse_rfc3339(std::string_view text);

// Whole units, rounded down, each up to two of the next one (120s is "2m", 48h is "2d"). "0s" for a time in the future: two clocks
// seldom agree. "-" for a text that is no time.
std::string age(std::string_view since, WallTime now);

}  // namespace midonet::cli
