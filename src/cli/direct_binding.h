// Binding and unbinding without an agent: mm-ctl writes the agent's records into the store itself.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/uuid.h"
#include "cli/agent_socket.h"

namespace midonet::cli {

struct DirectRequest {
  std::string store_uri;
  std::string secret_file;  // of a ZooKeeper store; empty: none
  Uuid host_id;
  Uuid port_id;
  std::optional<std::string> interface_name;  // bind to it; absent: unbind
};

// Opens the store, makes one commit, closes the store. Code::unavailable: the store does not answer or is in use (for example by an
// agent that is just starting), and a retry may help; nothing has been written then, or all of it. A store that is a file is never
// created here: an absent one is Code::not_found.
Status bind_directly(const DirectRequest& request, Deadline deadline);

}  // namespace midonet::cli
