#include "agent/publish/offering.h"

#include <algorithm>
#include <utility>

#include "agent/plan/neighbours.h"
#include "base/log.h"

namespace midonet::agent {

using model::PortState;

Offering::Offering(Loop& loop, store::Store& store, datapath::Datapath& datapath, Registry& registry,
                   const Snapshot& snapshot, std::chrono::seconds ageing, const Uuid& host, Events events)
    : loop_(loop),
      datapath_(datapath),
      snapshot_(snapshot),
      ageing_(ageing),
      events_(std::move(events)),
      offers_(loop, store, registry, host, {events_.offered, events_.lost, [this] {
                                              known_ = true;
                                              events_.known();
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
    learned_.heard(entry, [this](Vni vni, const Mac& mac) { return learned_elsewhere(snapshot_, vni, mac); });
    // Its guest has come here: that is not to wait for what else its port has learned.
    const BoundPort* bound = find_port(snapshot_, entry.port);
    if (bound && bound->taken_from && !heard_.contains(entry.port)) events_.dirty("heard");
  }
  release();
}

const Heard& Offering::heard() {
  std::erase_if(heard_, [this](const auto& port) {
    const BoundPort* bound = find_port(snapshot_, port.first);
    return !bound || bound->revision != port.second;
  });
  for (const BoundPort& port : snapshot_.ports)
    if (port.taken_from && (learned_.any(port.id) || offered_as_heard(port))) heard_.emplace(port.id, port.revision);
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
  if (released.any) events_.dirty("learned");
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
  const auto others = learned_.aged(datapath_.fdb(), stored,
                                    [this](Vni vni, const Mac& mac) { return learned_elsewhere(snapshot_, vni, mac); });
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

void Offering::applied(const Plan& plan, const std::map<Uuid, model::PortStatus>& statuses,
                       const std::set<Uuid>& preceded) {
  tunnel_ = plan.overlay.has_value();
  if (!tunnel_) {
    learned_.clear();
    seeded_ = false;
    release();
  }
  for (const auto& [vni, mac] : plan.lost) {
    log::debug("mac={} vni={} is at another host now", mac, vni);
    datapath_.forget(vni, mac);
    learned_.lost(vni, mac);
  }
  learned_.keep_ports([&](const Uuid& port) { return plan.desired.ports.contains(port); });
  if (!plan.lost.empty()) release();
  // What an earlier agent of this host offered, and what other hosts offer, is read before any of it is changed.
  if (!known_) return;
  if (tunnel_ && !seeded_ && offers_.known() && snapshot_.complete && snapshot_.peers_read) {
    seeded_ = true;
    read_fdb([this](const Uuid& port, const Mac& mac) { return stored(port, mac); });
  }
  std::optional<model::BridgeHost> self;
  if (plan.overlay) self = plan.overlay->self;
  for (const auto& [id, bridge] : snapshot_.bridges)
    if (bridge.found) offers_.adopt(id, *bridge.found);
  const auto bridges = wanted(plan, statuses, preceded);
  offers_.want(self, snapshot_.complete && (seeded_ || !tunnel_));
  for (const auto& [bridge, wanted] : bridges) offers_.want(bridge, wanted);
  std::vector<Uuid> others;
  for (const auto& [bridge, own] : offers_.own())
    if (!bridges.contains(bridge)) others.push_back(bridge);
  for (const Uuid& bridge : others) offers_.want(bridge, {});
  watch_self();
}

std::map<Uuid, WantedBridge> Offering::wanted(const Plan& plan, const std::map<Uuid, model::PortStatus>& statuses,
                                              const std::set<Uuid>& preceded) const {
  std::map<Uuid, WantedBridge> out;
  if (!plan.overlay) return out;
  std::set<Uuid> unlearned;  // offered by an earlier agent, and what of it was learned is not known yet
  if (!seeded_)
    for (const auto& [bridge, own] : offers_.own())
      for (const auto& [number, chunk] : own.chunks)
        for (const model::OfferedPort& port : chunk.ports) unlearned.insert(port.port_id);
  auto status = statuses.begin();
  for (std::size_t i = 0; i < plan.ports.size(); ++i) {
    const PortPlan& port = plan.ports[i];
    const BoundPort& bound = snapshot_.ports[i];
    if (port.held) {
      for (const auto& [bridge, own] : offers_.own())
        if (own.find(port.id)) out[bridge].keep.insert(port.id);
      continue;
    }
    if (!bound.port) continue;
    while (status != statuses.end() && status->first < port.id) ++status;
    const bool known = status != statuses.end() && status->first == port.id;
    const bool plugged = known && status->second.revision == port.revision &&
                         (status->second.state == PortState::active || status->second.state == PortState::down);
    if (port.unknown || port.undecided || (port.doubtful && plugged) ||
        (known && !plugged && preceded.contains(port.id))) {
      out[bound.port->bridge_id].keep.insert(port.id);
      continue;
    }
    if (!plugged) continue;
    // Whether the commit of the binding made this host's record there is known with the list of the bridge's hosts.
    const bool self_known = snapshot_.bridges.at(bound.port->bridge_id).self_known;
    if (unlearned.contains(port.id) || (!self_known && !offers_.own().contains(bound.port->bridge_id))) {
      out[bound.port->bridge_id].keep.insert(port.id);
      continue;
    }
    model::OfferedPort& offer = out[bound.port->bridge_id].ports.emplace_back();
    offer.port_id = port.id;
    offer.revision = port.revision;
    offer.ips = known_addresses(*bound.port);
    offer.standby = port.standby;
    offer.down = status->second.state == PortState::down;
    if (!offer.down) offer.learned = learned_.offered(port.id);
    if (const auto& mac = bound.port->mac_address; mac && !mac->is_multicast() && !mac->is_zero()) {
      if (offer.down || port.contested) {
        offer.declared = *mac;
      } else {
        offer.learned.erase(*mac);
        offer.macs.push_back(*mac);
      }
    }
    for (const auto& [mac, moves] : offer.learned) offer.macs.push_back(mac);
    std::sort(offer.macs.begin(), offer.macs.end());
  }
  for (const LingeringPlan& port : plan.lingering) {
    WantedBridge& bridge = out[port.bridge];
    (port.taken_by ? bridge.taken_over : bridge.keep).insert(port.id);
  }
  return out;
}

// Only this agent removes what it offers. Where a record is gone all the same, all are read again.
void Offering::watch_self() {
  std::vector<Uuid> serving;
  bool gone = false;
  for (const auto& [id, bridge] : snapshot_.bridges) {
    if (bridge.self)
      serving.push_back(id);
    else if (std::binary_search(served_.begin(), served_.end(), id) && offers_.own().contains(id))
      gone = true;
  }
  served_ = std::move(serving);
  if (!gone) return;
  log::warning("another process removed what this host offers: offering it again");
  offers_.look_again();
}

}  // namespace midonet::agent
