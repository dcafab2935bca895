// A server's messages to systemd: the protocol of sd_notify(3), one datagram to the socket that systemd names, if there is one.
// A server sends "READY=1" when the store has answered; before that, it reports that it waits.
#pragma once

#include <string_view>

#include "base/result.h"

namespace midonet::programs {

// "READY=1". `path` is the value of the environment's NOTIFY_SOCKET; "@…" is an abstract name. A success when there is none.
Status notify_systemd(const char* path, std::string_view state);
// The same to the socket of this process's environment; a failure is logged.
void tell_systemd(std::string_view state);

inline constexpr std::string_view systemd_ready = "READY=1\nSTATUS=";
inline constexpr std::string_view systemd_waiting = "STATUS=waiting for the store";

}  // namespace midonet::programs
