// What a server tells systemd: the protocol of sd_notify(3), one datagram to the socket that systemd names, if it does. A
// service that nobody waits for says nothing.
#pragma once

#include <string_view>

#include "base/result.h"

namespace midonet::programs {

// "READY=1". `path` is what the environment's NOTIFY_SOCKET says; "@…" is an abstract name. A success when there is none.
Status notify_systemd(const char* path, std::string_view state);

}  // namespace midonet::programs
