#include "agent/observe/observer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "model/paths.h"

namespace midonet::agent {

namespace paths = model::paths;

namespace {

bool offers(const OwnOffers& offered, const Uuid& port) {
  return std::any_of(offered.begin(), offered.end(), [&](const auto& bridge) { return bridge.second.find(port); });
}

Status pending_unless(bool complete) {
  if (complete) return {};
  return fail(Code::pending, "records are being read");
}

bool same_hosts(const Peers& a, const Peers& b) {
  return std::equal(a.hosts.begin(), a.hosts.end(), b.hosts.begin(), b.hosts.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second->record == y.second->record;
  });
}

template <class Map>
auto* find(Map& map, const Uuid& id) {
  const auto at = map.find(id);
  return at == map.end() ? nullptr : &at->second;
}

}  // namespace

std::set<std::string> complaints(const Snapshot& snapshot) {
  std::set<std::string> out;
  for (const std::string& name : snapshot.foreign)
    out.insert(fmt::format("binding '{}' of this host is not the id of a port", name));
  for (const auto& [path, what] : snapshot.damaged)
    out.insert(fmt::format("{}: {}: what was read there before stays in force", path, what));
  return out;
}

Observer::Observer(Parts& parts, const Uuid& host) : parts_(parts) { snapshot_.host = host; }

Observer::Changes Observer::update(const std::set<Part>& changed, const OwnOffers* offered, bool all) {
  Changes changes;
  const auto unread = [this] { return snapshot_.own == Known::unread; };
  changes.concerned.all = all || unread();
  std::set<Uuid> ports, bridges, peers;
  for (const Part& part : changed) {
    if (part.kind == port_part) ports.insert(part.id);
    if (part.kind == bridge_part) bridges.insert(part.id);
    if (part.kind == peers_part) peers.insert(part.id);
  }
  const bool had_zones = !snapshot_.zones.empty();
  touched_.clear();
  if (all || unread() || changed.contains({host_part, snapshot_.host})) read_host(changes, ports);
  if (unread() || lost_) return changes;
  if (all) {
    ports.insert(listed_.begin(), listed_.end());
    for (const auto& [id, port] : snapshot_.lingering) ports.insert(id);
    for (const auto& [id, bridge] : snapshot_.bridges) bridges.insert(id), peers.insert(id);
  }
  if (offered && (all || !std::exchange(candidates_known_, true))) offered_elsewhere(*offered, ports);

  for (const Uuid& id : ports) read_port(id, offered, changes);
  settle_bridges(bridges, peers, changes);
  if (had_zones == snapshot_.zones.empty())
    for (const auto& [id, bridge] : snapshot_.bridges) peers.insert(id);
  for (const Uuid& id : bridges) read_bridge_part(id, changes);
  for (const Uuid& id : peers) read_peers_part(id, offered, changes);

  note_known();
  return changes;
}

void Observer::note_known() {
  snapshot_.own = unread_.empty() ? Known::complete : Known::partial;
  snapshot_.others = unread_peers_.empty() ? Known::complete : Known::partial;
}

void Observer::note_unread(const Part& part, bool unread) {
  auto& all = part.kind == peers_part ? unread_peers_ : unread_;
  if (unread)
    all.insert(part);
  else
    all.erase(part);
}

// The list of the bindings, with its news, and the host's places in tunnel zones.
void Observer::read_host(Changes& changes, std::set<Uuid>& ports) {
  const Part part{host_part, snapshot_.host};
  const std::string folder = paths::bindings(snapshot_.host);
  std::optional<std::vector<std::string>> names;
  static_cast<void>(parts_.read(part, [&](store::View& view) -> Status {
    auto list = view.list_told(folder);
    if (list) names = *std::move(list);
    const bool absent = !list && list.error().code == Code::not_found;
    const bool was_lost = std::exchange(lost_, snapshot_.own != Known::unread && absent);
    changes.lost = lost_ && !was_lost;
    if (lost_) return pending_unless(false);
    auto zones = snapshot_.zones;
    Damaged damaged = take_damaged(paths::tunnel_zones + "/");
    const bool complete = agent::read_zones(view, snapshot_.host, zones, damaged);
    snapshot_.damaged.merge(damaged);
    const auto same = [](const auto& a, const auto& b) {
      return a.first == b.first && a.second.address == b.second.address;
    };
    if (!std::equal(zones.begin(), zones.end(), snapshot_.zones.begin(), snapshot_.zones.end(), same))
      changes.underlay = true;
    snapshot_.zones = std::move(zones);
    note_unread(part, !complete || !names);
    return pending_unless(complete && names);
  }));
  if (!names) return;
  if (snapshot_.own == Known::unread) snapshot_.own = Known::partial;
  list(*std::move(names), ports);
}

// Of ten thousand names one is new: the others are compared, and nothing more.
void Observer::list(std::vector<std::string> names, std::set<Uuid>& ports) {
  std::vector<std::string> changed;
  std::set_symmetric_difference(names.begin(), names.end(), names_.begin(), names_.end(), std::back_inserter(changed));
  for (const std::string& name : changed) {
    const bool there = std::binary_search(names.begin(), names.end(), name);
    const auto id = Uuid::parse(name);
    if (!id || id->to_string() != name) {
      std::erase(snapshot_.foreign, name);
      if (there) snapshot_.foreign.push_back(name);
      continue;
    }
    ports.insert(*id);
    const auto at = std::lower_bound(listed_.begin(), listed_.end(), *id);
    if (there)
      listed_.insert(at, *id);
    else
      listed_.erase(at);
  }
  std::sort(snapshot_.foreign.begin(), snapshot_.foreign.end());
  names_ = std::move(names);
}

void Observer::read_port(const Uuid& id, const OwnOffers* offered, Changes& changes) {
  const bool listed = std::binary_search(listed_.begin(), listed_.end(), id);
  const Part part{port_part, id};
  const BoundPort* bound = find(snapshot_.ports, id);
  const LingeringPort* lingering = find(snapshot_.lingering, id);
  if (!listed && !bound && !lingering && !(offered && offers(*offered, id))) {
    note_unread(part, false);
    return parts_.drop(part);
  }
  const std::string binding_path = paths::binding(snapshot_.host, id), record_path = paths::port(id);
  Result<store::NodePtr> binding = fail(Code::not_found, "it is not bound"), record = binding;
  static_cast<void>(parts_.read(part, [&](store::View& view) -> Status {
    if (listed) binding = view.get(binding_path);
    record = view.get(record_path);
    return {};
  }));

  const BoundPort* old = bound ? bound : lingering;
  std::optional<BoundPort> now = read_binding(id, binding, record, old);
  std::optional<LingeringPort> stays;
  if (!now && look(binding) == Look::absent) {
    if (lingering) {
      stays = lingers(id, lingering->bridge, lingering->revision, record, old);
    } else if (bound && !offered) {
      if (bound->port) stays = lingers(id, bound->port->bridge_id, bound->revision, record, old);
    } else if (offered) {
      for (const auto& [bridge, own] : *offered) {
        if (bound && bound->port && bound->port->bridge_id != bridge) continue;
        if (const auto* offer = own.find(id)) stays = lingers(id, bridge, offer->revision, record, old);
        if (stays) break;
      }
    }
  }
  note_unread(part, (listed && look(binding) == Look::unknown) || ((now || stays) && look(record) == Look::unknown));

  if (bound ? !now || now->revision != bound->revision : now.has_value()) changes.bindings.insert(id);
  if (bound) {
    concern_port(*bound, changes.concerned);
    touched_.insert(bridge_of(*bound));
    index_.remove(*bound);
    if (!now) snapshot_.ports.erase(id);
  }
  if (lingering) {
    changes.concerned.bridges.insert(lingering->bridge);
    touched_.insert(lingering->bridge);
    index_.remove(*lingering);
    if (!stays) snapshot_.lingering.erase(id);
  }
  if (now) {
    BoundPort& port = snapshot_.ports[id] = *std::move(now);
    index_.add(port);
    concern_port(port, changes.concerned);
    touched_.insert(bridge_of(port));
  }
  if (stays) {
    LingeringPort& port = snapshot_.lingering[id] = *std::move(stays);
    index_.add(port);
    changes.concerned.bridges.insert(port.bridge);
    touched_.insert(port.bridge);
  }
  if (!listed && !snapshot_.lingering.contains(id)) parts_.drop(part);
}

// A port that is offered and is not bound here.
std::optional<LingeringPort> Observer::lingers(const Uuid& id, const Uuid& bridge, store::Revision revision,
                                               const Result<store::NodePtr>& record, const BoundPort* old) {
  LingeringPort out;
  out.id = id;
  out.bridge = bridge;
  out.revision = revision;
  if (old) out.interface = old->interface;
  read_port_record(record, old, out);
  if (!out.port_known) return out;
  if (!out.port || out.port->bridge_id != bridge || !out.port->host_id) return {};
  const bool here = out.port->host_id == snapshot_.host;
  if (!here && (!out.taken_from || out.taken_from->host_id != snapshot_.host)) return {};
  out.doubtful = here;
  out.interface = here ? out.port->interface_name.value_or("") : out.taken_from->interface_name;
  return out;
}

// What this host offers beyond its bindings.
void Observer::offered_elsewhere(const OwnOffers& offered, std::set<Uuid>& ports) const {
  for (const auto& [bridge, own] : offered)
    for (const auto& [number, chunk] : own.chunks)
      for (const model::OfferedPort& port : chunk.ports)
        if (!snapshot_.ports.contains(port.port_id)) ports.insert(port.port_id);
}

// Bridges come with their first port and go with the last one.
void Observer::settle_bridges(std::set<Uuid>& bridges, std::set<Uuid>& peers, Changes& changes) {
  for (const Uuid& id : touched_) {
    if (id == Uuid{}) continue;
    const bool there = snapshot_.bridges.contains(id);
    if (index_.serves(id) && !there) {
      snapshot_.bridges[id];
      bridges.insert(id);
      peers.insert(id);
    } else if (!index_.serves(id) && there) {
      forget_bridge(id, changes);
    }
  }
  const auto gone = [this](const Uuid& id) { return !snapshot_.bridges.contains(id); };
  std::erase_if(bridges, gone);
  std::erase_if(peers, gone);
}

void Observer::forget_bridge(const Uuid& id, Changes& changes) {
  const ServedBridge& bridge = snapshot_.bridges.at(id);
  concern_bridge(id, changes.concerned);
  if (!bridge.peers->hosts.empty()) changes.underlay = true;
  index_.remove(id, bridge);
  for (const Part& part : {Part{bridge_part, id}, Part{peers_part, id}}) {
    parts_.drop(part);
    note_unread(part, false);
  }
  take_damaged(paths::bridge(id) + "/");
  snapshot_.bridges.erase(id);
}

void Observer::read_bridge_part(const Uuid& id, Changes& changes) {
  ServedBridge& bridge = snapshot_.bridges.at(id);
  const Part part{bridge_part, id};
  // A bridge that was not read before has neither a creation nor a revision.
  const ServedBridge* old = unread_.contains(part) || bridge.created != 0 || bridge.known ? &bridge : nullptr;
  concern_bridge(id, changes.concerned);
  ServedBridge now;
  Damaged tables = take_damaged(paths::mac_table(id) + "/");
  tables.merge(take_damaged(paths::arp_table(id) + "/"));
  static_cast<void>(parts_.read(part, [&](store::View& view) -> Status {
    return pending_unless(agent::read_bridge(view, id, old, now, tables));
  }));
  snapshot_.damaged.merge(tables);
  now.peers = bridge.peers;
  now.peers_known = bridge.peers_known;
  now.self = bridge.self;
  now.self_known = bridge.self_known;
  now.found = bridge.found;
  index_.remove(id, bridge);
  bridge = std::move(now);
  index_.add(id, bridge);
  note_unread(part, !bridge.known);
  concern_bridge(id, changes.concerned);
}

void Observer::read_peers_part(const Uuid& id, const OwnOffers* offered, Changes& changes) {
  ServedBridge& bridge = snapshot_.bridges.at(id);
  const Part part{peers_part, id};
  const auto before = bridge.peers;
  const std::string folder = paths::bridge_hosts(id);
  Damaged damaged = take_damaged(folder + "/");
  if (snapshot_.zones.empty()) {
    // A host in no zone tunnels to no other. A binding's commit may still have made its record on the bridge (ADR 19).
    note_unread(part, false);
    bridge.peers = std::make_shared<const Peers>();
    bridge.peers_known = Known::unread;
    static_cast<void>(parts_.read(part, [&](store::View& view) -> Status {
      agent::find_own(view, snapshot_.host, id, offered, bridge);
      return {};
    }));
  } else {
    bool complete = false;
    static_cast<void>(parts_.read(part, [&](store::View& view) -> Status {
      complete = agent::read_peers(view, snapshot_.host, id, offered, bridge, damaged);
      return pending_unless(complete && bridge.self_known);
    }));
    snapshot_.damaged.merge(damaged);
    note_unread(part, !complete);
  }
  if (before != bridge.peers && !same_hosts(*before, *bridge.peers)) changes.underlay = true;
  changes.concerned.bridges.insert(id);
}

Damaged Observer::take_damaged(const std::string& below) {
  Damaged out;
  auto at = snapshot_.damaged.lower_bound(below);
  while (at != snapshot_.damaged.end() && at->first.starts_with(below)) {
    out.insert(*at);
    at = snapshot_.damaged.erase(at);
  }
  return out;
}

void Observer::concern_port(const BoundPort& port, Scope& scope) const {
  if (const Uuid bridge = bridge_of(port); bridge != Uuid{})
    scope.bridges.insert(bridge);
  else
    scope.ports.insert(port.id);
  if (!port.interface.empty()) concern_interface(port.interface, scope);
}

void Observer::concern_interface(const std::string& name, Scope& scope) const {
  for (const Uuid& id : index_.at_interface(name)) {
    const BoundPort& port = snapshot_.ports.at(id);
    if (const Uuid bridge = bridge_of(port); bridge != Uuid{})
      scope.bridges.insert(bridge);
    else
      scope.ports.insert(id);
  }
  for (const auto& [id, port] : snapshot_.lingering)
    if (port.interface == name) scope.bridges.insert(port.bridge);
}

void Observer::concern_link(const std::string& name, const netlink::LinkTable& links, Scope& scope) const {
  concern_interface(name, scope);
  const netlink::Link* link = links.find(name);
  if (!link) return;
  for (const std::uint32_t member : links.members(link->ifindex)) concern_interface(links.find(member)->name, scope);
}

void Observer::concern_bridge(const Uuid& id, Scope& scope) const {
  scope.bridges.insert(id);
  const ServedBridge* bridge = find(snapshot_.bridges, id);
  if (!bridge || !bridge->record || !bridge->record->vni) return;
  const std::set<Uuid>& rivals = index_.with_vni(*bridge->record->vni);
  scope.bridges.insert(rivals.begin(), rivals.end());
}

Observer::Changes Observer::let_go(const Uuid& id) {
  Changes changes;
  const auto at = snapshot_.lingering.find(id);
  if (at == snapshot_.lingering.end()) return changes;
  const Uuid bridge = at->second.bridge;
  index_.remove(at->second);
  snapshot_.lingering.erase(at);
  note_unread({port_part, id}, false);
  if (!std::binary_search(listed_.begin(), listed_.end(), id)) parts_.drop({port_part, id});
  if (!index_.serves(bridge) && snapshot_.bridges.contains(bridge)) forget_bridge(bridge, changes);
  changes.concerned.bridges.erase(bridge);
  note_known();
  return changes;
}

}  // namespace midonet::agent
