// The parts of a header's value: lists and parameters, with quoted strings (RFC 9110 section 5.6). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace midonet::api {

std::string_view trimmed(std::string_view text);
// ASCII letters only.
std::string lower_case(std::string_view text);

// Up to the next `separator` outside of a quoted string, which is taken off `rest` together with the separator.
std::string_view next_part(std::string_view& rest, char separator);

// A token as it is, a quoted string without its quotes and escapes.
std::string unquoted(std::string_view text);

// All values of a header of this name as one list (RFC 9110 section 5.3); nothing when there is none.
std::optional<std::string> joined_header(const http::Headers& headers, std::string_view name);

}  // namespace midonet::api
