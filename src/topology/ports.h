// The verbs of ports: created under a bridge, updated, deleted with their binding; and the status of a binding. Plain functions of a
// transaction or a view; Code::pending passes through. Used by api/ and the agent.
#pragma once

#include "base/uuid.h"
#include "model/binding.h"
#include "model/port.h"
#include "store/transaction.h"
#include "topology/lookup.h"

namespace midonet::topology {

// not_found: "There is no Port with ID …."
Result<Stored<model::Port>> read_port(store::View& view, const Uuid& id);

// port.id and port.bridge_id are set; it is not bound. not_found (bridge), conflict (the id is used).
Status create_port(store::Transaction& t, const model::Port& port);
// Changes the properties that a client may set; the id, the bridge and the binding stay. not_found.
Status update_port(store::Transaction& t, const Uuid& id, const std::function<void(model::Port&)>& change);
// With its binding, in the same commit. not_found.
Status delete_port(store::Transaction& t, const Uuid& id);

// The status of the port's present binding: the agent's report on this revision of it, while the agent is alive; pending_host without
// such a report; unbound when the port is not bound.
Result<model::PortStatus> port_status(store::View& view, const model::Port& port);
// The same from records that were read, for a binding of this revision; null: no readable report.
model::PortStatus effective_status(store::Revision binding, bool alive, const model::PortStatus* reported);
// Reads ahead what port_status() needs of a port that is bound on this host: for callers that know the host before the port's record.
void read_status_ahead(store::View& view, const Uuid& host, const Uuid& port);
inline bool is_active(const model::PortStatus& status) { return status.state == model::PortState::active; }

}  // namespace midonet::topology
