// The rule for names of network interfaces: what Linux accepts (net/core/dev.c, dev_valid_name) and, because the name
// is also a key in the store and a word in messages, only characters that a path of the store may have.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet {

// Code::invalid with the reason. A name has 1 to 15 bytes of UTF-8, and is neither '.' nor '..'. It has no '/', ':', white space or
// control characters, and only characters that a path of the store may have (utf8.h), so no emoji.
Status check_interface_name(std::string_view name);

// The name for a log or a message: each byte that is not printable ASCII as `\xNN`. The kernel takes almost any bytes.
std::string printable(std::string_view name);

}  // namespace midonet
