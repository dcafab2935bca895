// The verbs of a bridge's MAC and ARP tables. Plain functions of a transaction; Code::pending passes through. Used by api/.
#pragma once

#include <vector>

#include "base/uuid.h"
#include "model/bridge_tables.h"
#include "store/transaction.h"
#include "topology/lookup.h"

namespace midonet::topology {

struct MacAtPort : model::MacPort {
  bool learned = false;  // by the host that the port is on, which forgets it when it ages; else set by hand
};

// Each MAC address once, ascending. An entry set by hand comes before a learned one; of two hosts that have learned one, the last.
// not_found (bridge).
Result<std::vector<MacAtPort>> mac_table(store::View& view, const Uuid& bridge);
// not_found (bridge, port), invalid (the port is another bridge's), conflict (the address is set already).
Status add_mac(store::Transaction& t, const Uuid& bridge, const model::MacPort& entry);
// A success when there is no such entry. not_found (bridge), conflict (it was learned).
Status remove_mac(store::Transaction& t, const Uuid& bridge, const model::MacPort& entry);
// A part of deleting a port: removes the entries that were set by hand for it.
Status remove_macs_of(store::Transaction& t, const Uuid& bridge, const Uuid& port);

// Ascending by address. not_found (bridge).
Result<std::vector<model::Ip4Mac>> arp_table(store::View& view, const Uuid& bridge);
// not_found (bridge), conflict (the address is set already).
Status add_neighbour(store::Transaction& t, const Uuid& bridge, const model::Ip4Mac& entry);
// A success when there is no such entry. not_found (bridge).
Status remove_neighbour(store::Transaction& t, const Uuid& bridge, const model::Ip4Mac& entry);

}  // namespace midonet::topology
