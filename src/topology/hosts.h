// The verbs of hosts. Plain functions of a transaction; Code::pending passes through. Used by api/ and the agent.
#pragma once

#include <functional>
#include <string>

#include "base/uuid.h"
#include "model/host.h"
#include "store/transaction.h"
#include "topology/lookup.h"
#include "topology/removal.h"

namespace midonet::topology {

// not_found: "There is no Host with ID …."
Result<Stored<model::Host>> read_host(store::View& view, const Uuid& id);

// Makes the host and its folders where they are absent, and keeps its name current; writes nothing if nothing has to change. The agent
// calls it at each start, before it makes its alive node.
Status register_host(store::Transaction& t, const Uuid& id, const std::string& name);
// Changes the properties that a client may set. not_found.
Status update_host(store::Transaction& t, const Uuid& id, const std::function<void(model::Host&)>& change);
// A step (removal.h). First its offers on bridges; in the last commit the host with its memberships of tunnel zones.
// not_found; forbidden while its agent is alive or it has bindings.
Result<Progress> delete_host(store::Transaction& t, const Uuid& id);

// A part of the deletion of hosts and of bridges: removes the host's offers on the bridge, and the bridge from its index of served
// bridges in the same commit.
Result<Progress> withdraw_offer(store::Transaction& t, const Uuid& host, const Uuid& bridge, Room& room);

}  // namespace midonet::topology
