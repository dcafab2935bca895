// The verbs of bridges. Plain functions of a transaction; Code::pending passes through. Used by api/.
#pragma once

#include <cstdint>
#include <functional>

#include "base/uuid.h"
#include "base/vni.h"
#include "model/bridge.h"
#include "store/transaction.h"
#include "topology/lookup.h"
#include "topology/removal.h"

namespace midonet::topology {

// not_found: "There is no Bridge with ID …."
Result<Stored<model::Bridge>> read_bridge(store::View& view, const Uuid& id);

// bridge.id is set; the VNI is given here. conflict (the id is used), exhausted (no free VNI was found).
Status create_bridge(store::Transaction& t, model::Bridge bridge);
// Changes the properties that a client may set; the id and the VNI stay. not_found.
Status update_bridge(store::Transaction& t, const Uuid& id, const std::function<void(model::Bridge&)>& change);
// A step (removal.h). First its ports, each with its binding; then the offers of hosts and its tables; in the last commit the bridge
// and its VNI. not_found.
Result<Progress> delete_bridge(store::Transaction& t, const Uuid& id);

// The VNIs that a bridge tries, one after the other. They follow from its id and are spread over all VNIs: bridges that are made at the
// same time hardly ever try the same one, and a rule that runs again tries the same ones again.
Vni vni_candidate(const Uuid& bridge, std::uint32_t attempt);
inline constexpr std::uint32_t max_vni_attempts = 64;  // with half of all taken, all fail once in 2^64

}  // namespace midonet::topology
