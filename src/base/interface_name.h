// The rule for names of network interfaces: what Linux accepts (net/core/dev.c, dev_valid_name) and, because the name
// is also a key in the store and a word in messages, printable characters only.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet {

// Code::invalid with the reason: empty, over 15 bytes, '/', ':', white space or control characters, '.' or '..'.
Status check_interface_name(std::string_view name);

// The name for a log or a message: each byte that is not printable ASCII as `\xNN`. The kernel takes almost any bytes.
std::string printable(std::string_view name);

}  // namespace midonet
