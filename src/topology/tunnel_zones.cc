#include "topology/tunnel_zones.h"

#include "model/paths.h"
#include "topology/hosts.h"

namespace midonet::topology {

namespace paths = model::paths;
using model::TunnelZone;
using model::TunnelZoneHost;
using model::ZoneAddress;

namespace {

// Makes sure that no other zone has the name, now and in the moment of the commit.
Status claim_name(store::Transaction& t, const TunnelZone& zone) {
  // Read before anything else is: whatever changes a name after this makes our write of the folder fail.
  const Result<store::NodePtr> folder = t.get(paths::tunnel_zones);
  if (!folder) return failed(folder);
  const auto ids = list_ids(t, paths::tunnel_zones);
  if (!ids) return failed(ids);
  Steps steps;
  for (const std::string& text : *ids) {
    const Result<Uuid> id = Uuid::parse(text);
    if (!id || *id == zone.id) continue;
    const auto other = find<TunnelZone>(t, paths::tunnel_zone(*id));
    if (!other && other.error().code == Code::internal) continue;  // a damaged record holds no name
    if (steps.add(other) && *other && (*other)->record.name == zone.name)
      steps.add(Status(fail(Code::conflict, "Tunnel zone name already exists.")));
  }
  if (!steps.outcome()) return steps.outcome();
  t.set(paths::tunnel_zones, (*folder)->value);
  return {};
}

// Stages the index node of an address; conflict when another member has it.
Status claim_address(store::Transaction& t, const Uuid& zone, const TunnelZoneHost& member) {
  const std::string folder = paths::tunnel_zone_addresses(zone);
  const std::string index = paths::tunnel_zone_address(zone, member.ip_address);
  const Result<bool> there = exists(t, folder);
  const auto holder = find<ZoneAddress>(t, index);
  Steps steps;
  steps.add(there);
  steps.add(holder);
  if (!steps.outcome()) return steps.outcome();
  if (*holder)
    return fail(Code::conflict, "Address {} is already used by host {} in tunnel zone {}.", member.ip_address,
                (*holder)->record.host_id, zone);
  if (!*there) t.create(folder, "");
  t.create(index, encode(ZoneAddress{member.host_id}));
  return {};
}

Status release_address(store::Transaction& t, const Uuid& zone, const TunnelZoneHost& member) {
  const std::string index = paths::tunnel_zone_address(zone, member.ip_address);
  const auto holder = find<ZoneAddress>(t, index);
  if (!holder) return failed(holder);
  if (*holder && (*holder)->record.host_id == member.host_id) t.remove(index);
  return {};
}

// The host is no member of the zone any more, if it was one. A damaged membership goes as well; which address it had is not
// known, so that one stays taken for as long as the zone exists.
Status leave(store::Transaction& t, const Uuid& zone, const Uuid& host) {
  const Result<Stored<TunnelZoneHost>> member = read_tunnel_zone_host(t, zone, host);
  if (!member && member.error().code == Code::not_found) return {};
  const bool damaged = !member && member.error().code == Code::internal;
  if (!member && !damaged) return failed(member);
  if (member)
    if (Status released = release_address(t, zone, member->record); !released) return released;
  t.remove(paths::tunnel_zone_host(zone, host));
  return {};
}

}  // namespace

Result<Stored<TunnelZone>> read_tunnel_zone(store::View& view, const Uuid& id) {
  return read<TunnelZone>(view, paths::tunnel_zone(id), id);
}

Result<Stored<TunnelZoneHost>> read_tunnel_zone_host(store::View& view, const Uuid& zone, const Uuid& host) {
  auto found = find<TunnelZoneHost>(view, paths::tunnel_zone_host(zone, host));
  if (!found) return failed(found);
  if (!*found) return fail(Code::not_found, "There is no TunnelZoneHost with ID {}.", host);
  (*found)->record.host_id = host;
  return **std::move(found);
}

Status create_tunnel_zone(store::Transaction& t, const TunnelZone& zone) {
  Steps steps;
  const Result<bool> used = exists(t, paths::tunnel_zone(zone.id));
  if (steps.add(used) && *used)
    steps.add(Status(fail(Code::conflict, "A(n) TunnelZone with ID {} already exists.", zone.id)));
  steps.add(claim_name(t, zone));
  if (!steps.outcome()) return steps.outcome();
  t.create(paths::tunnel_zone(zone.id), encode(zone));
  t.create(paths::tunnel_zone_hosts(zone.id), "");
  t.create(paths::tunnel_zone_addresses(zone.id), "");
  return {};
}

Status update_tunnel_zone(store::Transaction& t, const Uuid& id, const std::function<void(TunnelZone&)>& change) {
  Result<Stored<TunnelZone>> stored = read_tunnel_zone(t, id);
  if (!stored) return failed(stored);
  TunnelZone changed = stored->record;
  change(changed);
  if (changed.name != stored->record.name)
    if (Status claimed = claim_name(t, changed); !claimed) return claimed;
  t.set(paths::tunnel_zone(id), encode(changed, stored->node->value));
  return {};
}

Result<Progress> delete_tunnel_zone(store::Transaction& t, const Uuid& id) {
  const auto names = list_ids(t, paths::tunnel_zone_hosts(id));
  if (const auto stored = read_tunnel_zone(t, id); !stored) return failed(stored);
  if (!names) return failed(names);
  Room room;
  Steps steps;
  for (const std::string& name : *names) {
    const Result<Uuid> host = Uuid::parse(name);
    if (!host) continue;
    if (!room.take(2)) return more(steps);  // the member and its address
    steps.add(leave(t, id, *host));
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return remove_tree(t, paths::tunnel_zone(id), room);
}

Status add_tunnel_zone_host(store::Transaction& t, const Uuid& zone, const TunnelZoneHost& member) {
  const std::string path = paths::tunnel_zone_host(zone, member.host_id);
  const std::string host_path = paths::host(member.host_id);
  read_ahead(t, {host_path, path, paths::tunnel_zone_address(zone, member.ip_address)});
  if (const auto found = read_tunnel_zone(t, zone); !found) return failed(found);
  const auto host = read_host(t, member.host_id);
  if (!host) return failed(host);
  const Result<bool> used = exists(t, path);
  if (!used) return failed(used);
  if (*used) return fail(Code::conflict, "A(n) TunnelZoneHost with ID {} already exists.", member.host_id);
  if (Status claimed = claim_address(t, zone, member); !claimed) return claimed;
  t.create(path, encode(member));
  t.set(host_path, host->node->value);
  return {};
}

Status update_tunnel_zone_host(store::Transaction& t, const Uuid& zone, const Uuid& host,
                               const std::function<void(TunnelZoneHost&)>& change) {
  const auto found = read_tunnel_zone(t, zone);
  Result<Stored<TunnelZoneHost>> stored = read_tunnel_zone_host(t, zone, host);
  if (!found) return failed(found);
  if (!stored) return failed(stored);
  TunnelZoneHost changed = stored->record;
  change(changed);
  changed.host_id = host;
  if (changed.ip_address != stored->record.ip_address) {
    if (Status claimed = claim_address(t, zone, changed); !claimed) return claimed;
    if (Status released = release_address(t, zone, stored->record); !released) return released;
  }
  t.set(paths::tunnel_zone_host(zone, host), encode(changed, stored->node->value));
  return {};
}

Status remove_tunnel_zone_host(store::Transaction& t, const Uuid& zone, const Uuid& host) {
  const auto found = read_tunnel_zone(t, zone);
  const Result<Stored<TunnelZoneHost>> stored = read_tunnel_zone_host(t, zone, host);
  if (!found) return failed(found);
  if (!stored) return failed(stored);
  if (Status released = release_address(t, zone, stored->record); !released) return released;
  t.remove(paths::tunnel_zone_host(zone, host));
  return {};
}

Status leave_tunnel_zones(store::Transaction& t, const Uuid& host) {
  const auto zones = list_ids(t, paths::tunnel_zones);
  if (!zones) return failed(zones);
  Steps steps;
  for (const std::string& text : *zones) {
    const Result<Uuid> zone = Uuid::parse(text);
    if (!zone) continue;
    steps.add(leave(t, *zone, host));
  }
  return steps.outcome();
}

Result<bool> in_any_tunnel_zone(store::View& view, const Uuid& host) {
  const auto zones = list_ids(view, paths::tunnel_zones);
  if (!zones) return failed(zones);
  Steps steps;
  bool member = false;
  for (const std::string& text : *zones) {
    const Result<Uuid> zone = Uuid::parse(text);
    if (!zone) continue;
    const Result<bool> there = exists(view, paths::tunnel_zone_host(*zone, host));
    if (steps.add(there) && *there) member = true;
  }
  if (member) return true;
  if (!steps.outcome()) return failed(steps.outcome());
  return false;
}

}  // namespace midonet::topology
