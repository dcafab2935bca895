// The verbs of the operator's command that ask the agent of this host, over its socket.
#pragma once

#include <string>

#include "cli/commands.h"

namespace midonet::cli {

// Writes a backup of the embedded store that the process at the socket has open, or else the API, to `file`: whole or not at
// all, readable by its owner alone. Prints the size.
Outcome back_up(const Session& session, const std::string& file);
// Ends a hold: the agent may remove the ports that the store no longer knows.
Outcome accept_store(const Session& session);

}  // namespace midonet::cli
