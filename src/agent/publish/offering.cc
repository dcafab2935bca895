#include "agent/publish/offering.h"

#include <algorithm>
#include <utility>

#include "agent/plan/neighbours.h"
#include "base/log.h"

namespace midonet::agent {

using model::PortState;

namespace {

bool plugged(const PortPlan& port, const model::PortStatus* status) {
  return status && status->revision == port.revision &&
         (status->state == PortState::active || status->state == PortState::down);
}

}  // namespace

Offering::Offering(Loop& loop, store::Store& store, datapath::Datapath& datapath, Registry& registry,
                   const Observer& observer, std::chrono::seconds ageing, const Uuid& host, Events events)
    : loop_(loop),
      datapath_(datapath),
      observer_(observer),
      ageing_(ageing),
      events_(std::move(events)),
      offers_(loop, store, registry, host, {events_.offered, events_.lost, [this](const std::set<Uuid>& again) {
                                              const bool first = !std::exchange(known_, true);
                                              events_.known(first ? Scope{.all = true} : Scope{.bridges = again});
                                            }}) {}

Offering::~Offering() {
  datapath_.on_learned([](const std::vector<datapath::FdbEntry>&) {});
}

void Offering::start() {
  datapath_.on_learned([this](const std::vector<datapath::FdbEntry>& entries) { heard(entries); });
}

void Offering::start_writing() { offers_.start(); }
void Offering::stop_writing() { offers_.stop(); }

void Offering::heard(const std::vector<datapath::FdbEntry>& entries) {
  if (!tunnel_) return;  // read when there is one
  for (const datapath::FdbEntry& entry : entries) {
    if (entry.configured || entry.vtep) continue;
    log::debug("learned mac={} port={} vni={}", entry.mac, entry.port, entry.vni);
    learned_.heard(entry, [this](Vni vni, const Mac& mac) { return elsewhere(vni, mac); });
    // Its guest has come here: that is not to wait for what else its port has learned.
    const BoundPort* bound = find_port(observer_.snapshot(), entry.port);
    if (bound && bound->taken_from && !heard_.contains(entry.port))
      events_.dirty({.bridges = {bridge_of(*bound)}}, "heard");
  }
  release();
}

std::optional<Learned::Moves> Offering::elsewhere(Vni vni, const Mac& mac) const {
  return learned_elsewhere(observer_.snapshot(), observer_.index(), vni, mac);
}

const Heard& Offering::heard(const Scope& scope) {
  const Snapshot& snapshot = observer_.snapshot();
  std::erase_if(heard_, [&](const auto& port) {
    const BoundPort* bound = find_port(snapshot, port.first);
    return !bound || bound->revision != port.second;
  });
  const auto look_at = [this](const BoundPort& port) {
    if (port.taken_from && (learned_.any(port.id) || offered_as_heard(port))) heard_.emplace(port.id, port.revision);
  };
  if (scope.all)
    for (const auto& [id, port] : snapshot.ports) look_at(port);
  else
    for (const Uuid& bridge : scope.bridges)
      for (const Uuid& id : observer_.index().ports(bridge)) look_at(snapshot.ports.at(id));
  return heard_;
}

bool Offering::offered_as_heard(const BoundPort& port) const {
  if (!port.port || !offers_.known()) return false;
  const auto own = offers_.own().find(port.port->bridge_id);
  if (own == offers_.own().end()) return false;
  const model::OfferedPort* offer = own->second.find(port.id);
  return offer && offer->revision == port.revision && !offer->standby;
}

// Lets what has changed be offered as far as the limits allow; a guest that invents addresses makes no work beyond that.
void Offering::release() {
  const Learned::Released released = learned_.release(std::chrono::steady_clock::now());
  Scope scope;
  for (const Uuid& id : released.ports) {
    if (const BoundPort* bound = find_port(observer_.snapshot(), id)) {
      scope.bridges.insert(bridge_of(*bound));
    } else if (const auto at = observer_.snapshot().lingering.find(id); at != observer_.snapshot().lingering.end()) {
      scope.bridges.insert(at->second.bridge);
    }
  }
  if (!scope.empty()) events_.dirty(scope, "learned");
  release_timer_.cancel();
  if (released.next)
    release_timer_ = loop_.after(*released.next - std::chrono::steady_clock::now(), [this] { release(); });
  if (learned_.empty()) {
    ageing_timer_.cancel();
  } else if (!ageing_timer_.armed()) {
    ageing_timer_ = loop_.after(ageing_, [this] { read_fdb([](const Uuid&, const Mac&) { return std::nullopt; }); });
  }
}

void Offering::read_fdb(const Learned::Stored& stored) {
  const auto others =
      learned_.aged(datapath_.fdb(), stored, [this](Vni vni, const Mac& mac) { return elsewhere(vni, mac); });
  for (const auto& [vni, mac] : others) datapath_.forget(vni, mac);
  release();
}

std::optional<Learned::Moves> Offering::stored(const Uuid& port, const Mac& mac) const {
  for (const auto& [bridge, own] : offers_.own()) {
    const model::OfferedPort* offered = own.find(port);
    if (!offered) continue;
    const auto at = offered->learned.find(mac);
    if (at != offered->learned.end()) return at->second;
  }
  return {};
}

// What was learned before this agent began to hear can be told from what others have.
bool Offering::seeds() const { return tunnel_ && !seeded_ && offers_.known() && observer_.snapshot().all_known(); }

Scope Offering::due() const {
  if (!known_) return {};
  Scope out;
  out.all = seeds();
  if (observer_.snapshot().own_known() && (seeded_ || !tunnel_)) out.bridges = offers_.held_back();
  return out;
}

void Offering::applied(const Round& round) {
  tunnel_ = round.overlay.has_value();
  if (!tunnel_) {
    learned_.clear();
    seeded_ = false;
    release();
  }
  forget_learned(round);
  // What an earlier agent of this host offered, and what other hosts offer, is read before any of it is changed.
  if (!known_) return;
  if (round.scope.all && seeds()) {
    seeded_ = true;
    read_fdb([this](const Uuid& port, const Mac& mac) { return stored(port, mac); });
  }
  std::optional<model::BridgeHost> self;
  if (round.overlay) self = round.overlay->self;
  adopt(round);
  auto bridges = wanted(round);
  if (round.scope.all)
    for (const auto& [bridge, own] : offers_.own()) bridges[bridge];
  else
    for (const Uuid& bridge : round.scope.bridges) bridges[bridge];
  offers_.want(self, observer_.snapshot().own_known() && (seeded_ || !tunnel_));
  Scope withdrawn;
  for (const auto& [bridge, wanted] : bridges) {
    const bool offered = offers_.own().contains(bridge);
    offers_.want(bridge, wanted);
    // A record that a binding's commit makes from now on is found in the store again.
    if (offered && !offers_.own().contains(bridge) && observer_.snapshot().bridges.contains(bridge))
      withdrawn.bridges.insert(bridge);
  }
  if (!withdrawn.empty()) events_.known(withdrawn);
  watch_self(round);
}

// Takes over the records that commits of bindings made for this host, each once.
void Offering::adopt(const Round& round) {
  const auto& bridges = observer_.snapshot().bridges;
  const auto look_at = [this](const Uuid& id, const ServedBridge& bridge) {
    if (!bridge.found) return;
    const auto at = adopted_.find(id);
    if (at != adopted_.end() && at->second == bridge.found->stat.created) return;
    if (offers_.adopt(id, *bridge.found)) adopted_[id] = bridge.found->stat.created;
  };
  if (round.scope.all)
    for (const auto& [id, bridge] : bridges) look_at(id, bridge);
  else
    for (const Uuid& id : round.scope.bridges)
      if (const auto at = bridges.find(id); at != bridges.end()) look_at(id, at->second);
  std::erase_if(adopted_, [&](const auto& one) { return !bridges.contains(one.first); });
}

void Offering::forget_learned(const Round& round) {
  for (const auto& [vni, mac] : round.plan.lost) {
    log::debug("mac={} vni={} is at another host now", mac, vni);
    datapath_.forget(vni, mac);
    learned_.lost(vni, mac);
  }
  const auto plugged = [&](const Uuid& port) { return round.plan.desired.ports.contains(port); };
  if (round.scope.all) {
    learned_.keep_ports(plugged);
  } else {
    std::set<Uuid> gone;
    for (const Uuid& id : round.bindings)
      if (!plugged(id)) gone.insert(id);
    for (const PortPlan& port : round.plan.ports)
      if (!plugged(port.id)) gone.insert(port.id);
    for (const auto& [id, why] : round.plan.over) gone.insert(id);
    learned_.forget_ports(gone);
  }
  if (!round.plan.lost.empty()) release();
}

std::map<Uuid, WantedBridge> Offering::wanted(const Round& round) const {
  std::map<Uuid, WantedBridge> out;
  if (!round.overlay) return out;
  const Snapshot& snapshot = observer_.snapshot();
  for (const PortPlan& port : round.plan.ports) {
    const BoundPort& bound = snapshot.ports.at(port.id);
    if (port.held) {
      for (const auto& [bridge, own] : offers_.own())
        if (own.find(port.id)) out[bridge].keep.insert(port.id);
      continue;
    }
    if (!bound.port) continue;
    const auto at = round.statuses.find(port.id);
    const model::PortStatus* status = at != round.statuses.end() ? &at->second : nullptr;
    if (keeps(port, status, round))
      out[bound.port->bridge_id].keep.insert(port.id);
    else if (plugged(port, status))
      out[bound.port->bridge_id].ports.push_back(offer(port, bound, status->state == PortState::down));
  }
  for (const LingeringPlan& port : round.plan.lingering) {
    WantedBridge& bridge = out[port.bridge];
    (port.taken_by ? bridge.taken_over : bridge.keep).insert(port.id);
  }
  return out;
}

// What stands in the store of this port stays, as long as not more is known.
bool Offering::keeps(const PortPlan& port, const model::PortStatus* status, const Round& round) const {
  const bool is_plugged = plugged(port, status);
  if (port.unknown || port.undecided || (port.doubtful && is_plugged) ||
      (status && !is_plugged && round.preceded.contains(port.id)))
    return true;
  if (!is_plugged) return false;
  const Uuid& bridge = observer_.snapshot().ports.at(port.id).port->bridge_id;
  const auto own = offers_.own().find(bridge);
  // Whether the commit of the binding made this host's record there is known with the list of the bridge's hosts.
  if (own == offers_.own().end()) return !observer_.snapshot().bridges.at(bridge).self_known;
  // Offered by an earlier agent, and what of it was learned is not known yet.
  return !seeded_ && own->second.find(port.id);
}

model::OfferedPort Offering::offer(const PortPlan& port, const BoundPort& bound, bool down) const {
  model::OfferedPort out;
  out.port_id = port.id;
  out.revision = port.revision;
  out.ips = known_addresses(*bound.port);
  out.standby = port.standby;
  out.down = down;
  if (!out.down) out.learned = learned_.offered(port.id);
  if (const auto& mac = bound.port->mac_address; mac && !mac->is_multicast() && !mac->is_zero()) {
    if (out.down || port.contested) {
      out.declared = *mac;
    } else {
      out.learned.erase(*mac);
      out.macs.push_back(*mac);
    }
  }
  for (const auto& [mac, moves] : out.learned) out.macs.push_back(mac);
  std::sort(out.macs.begin(), out.macs.end());
  return out;
}

// Only this agent removes what it offers. Where a record is gone all the same, all are read again.
void Offering::watch_self(const Round& round) {
  bool gone = false;
  const auto look_at = [&](const Uuid& id, const ServedBridge* bridge) {
    if (bridge && bridge->self)
      served_.insert(id);
    else if (served_.erase(id) > 0 && bridge && offers_.own().contains(id))
      gone = true;
  };
  const auto& bridges = observer_.snapshot().bridges;
  if (round.scope.all) {
    for (const auto& [id, bridge] : bridges) look_at(id, &bridge);
    std::erase_if(served_, [&](const Uuid& id) { return !bridges.contains(id); });
  } else {
    for (const Uuid& id : round.scope.bridges) {
      const auto at = bridges.find(id);
      look_at(id, at == bridges.end() ? nullptr : &at->second);
    }
  }
  if (!gone) return;
  log::warning("another process removed what this host offers: offering it again");
  offers_.look_again();
}

}  // namespace midonet::agent
