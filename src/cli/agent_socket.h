// One request to the agent of this host, over its unix socket. Blocking, for mm-ctl.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/http_answer.h"

namespace midonet::cli {

using Deadline = std::chrono::steady_clock::time_point;

struct AgentRequest {
  std::string_view method;  // "PUT"
  std::string target;       // "/binding/<portId>"
  std::string body;         // JSON, or empty
};

// The agent's answer, whatever its status is. Code::unavailable: no agent answers (no socket, no listener, closed without
// an answer, or silent until the deadline), so the caller may have to do the work. Code::forbidden: this user may not
// talk to it. Every message names the socket.
Result<HttpAnswer> ask_agent(const std::string& socket_path, const AgentRequest& request, Deadline deadline);

}  // namespace midonet::cli
