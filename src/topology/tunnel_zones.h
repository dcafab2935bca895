// The verbs of tunnel zones and of the hosts in them. Plain functions of a transaction or a view; Code::pending passes
// through. Used by api/.
//
// Zones are few: their names are compared one by one, and a commit that creates or renames one writes the folder of all zones, so that
// of two commits with one name one fails. Members may be many: each address of a zone has an index node. The commit that adds a host
// also writes the host's record, so that it cannot be deleted in the same moment.
#pragma once

#include <functional>

#include "base/uuid.h"
#include "model/tunnel_zone.h"
#include "store/transaction.h"
#include "topology/lookup.h"
#include "topology/removal.h"

namespace midonet::topology {

// not_found: "There is no TunnelZone with ID …."
Result<Stored<model::TunnelZone>> read_tunnel_zone(store::View& view, const Uuid& id);
// not_found: "There is no TunnelZoneHost with ID …."; the zone itself is not looked at.
Result<Stored<model::TunnelZoneHost>> read_tunnel_zone_host(store::View& view, const Uuid& zone, const Uuid& host);

// zone.id is set. conflict (the id or the name is used).
Status create_tunnel_zone(store::Transaction& t, const model::TunnelZone& zone);
// What the client may set, over the stored record. not_found, conflict (another zone has the name).
Status update_tunnel_zone(store::Transaction& t, const Uuid& id, const std::function<void(model::TunnelZone&)>& change);
// A step (removal.h): first its members, at last the zone. not_found.
Result<Progress> delete_tunnel_zone(store::Transaction& t, const Uuid& id);

// not_found (zone, host), conflict (the host is a member, another member has the address: names it).
Status add_tunnel_zone_host(store::Transaction& t, const Uuid& zone, const model::TunnelZoneHost& member);
// Its address. not_found (zone, member), conflict (another member has the address).
Status update_tunnel_zone_host(store::Transaction& t, const Uuid& zone, const Uuid& host,
                               const std::function<void(model::TunnelZoneHost&)>& change);
// not_found (zone, member).
Status remove_tunnel_zone_host(store::Transaction& t, const Uuid& zone, const Uuid& host);

// A part of the deletion of a host: it leaves all zones that it is in.
Status leave_tunnel_zones(store::Transaction& t, const Uuid& host);
Result<bool> in_any_tunnel_zone(store::View& view, const Uuid& host);

}  // namespace midonet::topology
