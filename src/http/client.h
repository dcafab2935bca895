// A blocking HTTP/1.1 client for command-line programs: one request, one answer, one connection. Not for the loop.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "http/message.h"

namespace midonet::http {

// `endpoint`: "http://127.0.0.1:8181" or "unix:/var/run/midolman/midolman.sock". unavailable when no server answers in time;
// the message names the endpoint. forbidden: the socket may not be opened. The deadline is for connecting, sending and
// receiving together; resolving a host's name (not an address) takes the resolver's own time.
Result<Response> call(const std::string& endpoint, const std::string& method, const std::string& target,
                      const Headers& headers, const std::string& body, std::chrono::milliseconds deadline);

}  // namespace midonet::http
