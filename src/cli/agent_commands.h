// The verbs of the operator's command that only the agent of this host can do, over its socket.
#pragma once

#include <string>

#include "cli/commands.h"

namespace midonet::cli {

// Writes a backup of the embedded store, which the process at the socket has open, to `file`: whole or not at all, readable
// by its owner alone. Prints the size.
Outcome back_up(const Session& session, const std::string& file);
// The operator's word that the agent may remove what the store does not know any more.
Outcome accept_store(const Session& session);

}  // namespace midonet::cli
