#include "agent/plan/plan.h"

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "agent/plan/neighbours.h"
#include "agent/plan/owners.h"
#include "agent/plan/remote.h"
#include "agent/plan/underlay.h"
#include "base/interface_name.h"
#include "model/paths.h"

namespace midonet::agent {

namespace paths = model::paths;
using model::PortState;
using netlink::Link;
using netlink::LinkTable;

namespace {

// Of two that claim one thing, the one whose record is older has it; ids decide where records cannot.
bool older(store::Revision a, const Uuid& a_id, store::Revision b, const Uuid& b_id) {
  return a != b ? a < b : a_id < b_id;
}

// This host's, by zone.
std::map<Uuid, Ip> addresses(const Snapshot& snapshot) {
  std::map<Uuid, Ip> out;
  for (const auto& [zone, membership] : snapshot.zones)
    if (membership.address) out.emplace_hint(out.end(), zone, *membership.address);
  return out;
}

class Planner {
 public:
  Planner(const Snapshot& snapshot, const LinkTable& links, const OverlayOptions& options, const Learned& learned,
          const Heard& heard, const netlink::RouteTable& routes)
      : snapshot_(snapshot), links_(links), options_(options), learned_(learned), heard_(heard), routes_(routes) {}

  Plan run() {
    look_at_underlay();
    claim_interfaces();
    claim_vnis();
    plan_.ports.reserve(snapshot_.ports.size());
    for (const BoundPort& bound : snapshot_.ports) {
      PortPlan& out = plan_.ports.emplace_back();
      out.id = bound.id;
      out.revision = bound.revision;
      out.interface = bound.interface;
      port(bound, out);
    }
    for (const LingeringPort& port : snapshot_.lingering) {
      if (std::string why = linger(port); !why.empty()) plan_.over.emplace(port.id, std::move(why));
    }
    look_around();
    settle_macs();
    fill_tables();
    tunnel();
    for (auto& [vni, claims] : neighbours_) answer(std::move(claims), plan_.desired.bridges.at(vni).neighbours);
    return std::move(plan_);
  }

 private:
  void look_at_underlay() {
    plan_.overlay = overlay_of(addresses(snapshot_), links_, options_);
    peers_ = peers_of(snapshot_, plan_.overlay, options_);
    if (plan_.overlay) fit_paths(*plan_.overlay, peers_, routes_, links_, options_);
    uplinks_ = uplinks(links_, plan_.overlay, peers_, routes_, options_);
    for (const auto& [ifindex, why] : uplinks_) plan_.desired.banned.insert(plan_.desired.banned.end(), ifindex);
  }

  // The store lets an interface be bound once; if two bindings are there all the same, the first one keeps it.
  void claim_interfaces() {
    holders_.reserve(snapshot_.ports.size());
    for (const BoundPort& bound : snapshot_.ports) {
      if (bound.interface.empty()) continue;
      const auto [at, fresh] = holders_.try_emplace(bound.interface, &bound);
      if (!fresh && older(bound.revision, bound.id, at->second->revision, at->second->id)) at->second = &bound;
    }
  }

  // Likewise VNIs: two bridges with one would be one network.
  void claim_vnis() {
    for (const auto& [id, bridge] : snapshot_.bridges) {
      if (!bridge.record || !bridge.record->vni) continue;
      const auto [at, fresh] = vni_holders_.try_emplace(*bridge.record->vni, id);
      if (!fresh && older(bridge.created, id, snapshot_.bridges.at(at->second).created, at->second)) at->second = id;
    }
  }

  static void refuse(PortPlan& out, std::string reason, bool doubtful = false) {
    out.state = PortState::error;
    out.reason = std::move(reason);
    out.doubtful = doubtful;
  }

  void port(const BoundPort& bound, PortPlan& out) {
    if (bound.interface.empty()) return hold(out, paths::binding(snapshot_.host, bound.id), bound.damage);
    if (const BoundPort* holder = holders_.at(bound.interface); holder != &bound)
      return refuse(out, fmt::format("{} carries port {}, which was bound before", bound.interface, holder->id), true);

    if (!bound.port_known) {
      out.unknown = true;
      return refuse(out, "its record is being read");
    }
    if (!bound.port && !bound.port_damage.empty()) return hold(out, paths::port(bound.id), bound.port_damage);
    if (!bound.port) return refuse(out, fmt::format("there is no Port with ID {}", bound.id), true);
    const model::Port& record = *bound.port;
    if (record.host_id != snapshot_.host) {
      // Taken over, and the binding is about to be seen to go.
      if (record.host_id && bound.taken_from == model::TakenFrom{snapshot_.host, bound.interface})
        keep(bound, record.bridge_id);
      return refuse(out,
                    record.host_id ? fmt::format("the port's record says that it is bound on host {}", *record.host_id)
                                   : "the port's record says that it is not bound",
                    true);
    }
    if (record.interface_name != bound.interface)
      return refuse(out,
                    record.interface_name
                        ? fmt::format("the port's record says that it is bound to {}", *record.interface_name)
                        : "the port's record names no interface",
                    true);

    const ServedBridge& bridge = snapshot_.bridges.at(record.bridge_id);
    if (!bridge.known) {
      out.unknown = true;
      return refuse(out, "its bridge is being read");
    }
    if (!bridge.record && !bridge.damage.empty()) return hold(out, paths::bridge(record.bridge_id), bridge.damage);
    if (!bridge.record) return refuse(out, fmt::format("there is no Bridge with ID {}", record.bridge_id), true);
    if (!bridge.record->vni) return refuse(out, fmt::format("bridge {} has no VNI", record.bridge_id));
    const Vni vni = *bridge.record->vni;
    if (const Uuid holder = vni_holders_.at(vni); holder != record.bridge_id)
      return refuse(out, fmt::format("VNI {} of bridge {} is that of bridge {}", vni, record.bridge_id, holder));

    out.standby = on_standby(bound, bridge);
    out.undecided = out.standby && !bridge.peers_known;
    if (out.standby) standby_.insert(bound.id);

    const Link* link = links_.find(bound.interface);
    if (!link) {
      out.state = PortState::pending_interface;
      return;
    }
    out.ifindex = link->ifindex;
    if (std::string reason = obstacle(*link, links_, uplinks_); !reason.empty()) return refuse(out, std::move(reason));

    out.state = link->has_link() ? PortState::active : PortState::down;
    if (!record.admin_state_up)
      out.reason = "the port's adminStateUp is false: no frame passes";
    else if (!bridge.record->admin_state_up)
      out.reason = "the bridge's adminStateUp is false: no frame passes";
    if (record.port_security_enabled && !record.security_group_ids.empty())
      out.hint = "its security groups are not enforced yet: no frame is filtered";

    if (!bound.damage.empty())
      remark(&out, damaged(paths::binding(snapshot_.host, bound.id), bound.damage));
    else if (!bound.port_damage.empty())
      remark(&out, damaged(paths::port(bound.id), bound.port_damage));
    else if (!bridge.damage.empty())
      remark(&out, damaged(paths::bridge(record.bridge_id), bridge.damage));

    plug(bound, vni, *link);
    if (!out.standby) declare(bound, vni, *link);
  }

  static std::string damaged(const std::string& path, const std::string& how) {
    return fmt::format("the record {} can't be read ({}): what was read there before stays in force", path, how);
  }

  // A port of which nothing was ever read well. In the kernel stays what an earlier agent plugged; nothing new is plugged.
  void hold(PortPlan& out, const std::string& path, const std::string& how) {
    out.held = true;
    plan_.desired.held.insert(out.id);
    refuse(out, fmt::format(
                    "the record {} can't be read ({}): what the agent finds plugged stays so, nothing new is plugged",
                    path, how));
  }

  // The MAC address that a port which is plugged here is configured with.
  void declare(const BoundPort& port, Vni vni, const Link& link) {
    const auto& mac = port.port->mac_address;
    if (!mac) return;
    if (mac->is_multicast() || mac->is_zero())
      return remark(planned(port.id), fmt::format("macAddress {} is not that of a station", *mac));
    const Learned::Entry* heard = learned_.find(vni, *mac);
    declared_.push_back({.vni = vni,
                         .mac = *mac,
                         .port = port.id,
                         .revision = port.revision,
                         .active = link.has_link(),
                         .heard = heard && heard->port == port.id});
  }

  void plug(const BoundPort& port, Vni vni, const Link& link) {
    auto& spec = plan_.desired.ports.emplace_hint(plan_.desired.ports.end(), port.id, datapath::PortSpec{})->second;
    spec.id = port.id;
    spec.vni = vni;
    spec.ifindex = link.ifindex;
    spec.interface = link.name;
    spec.admin_up = port.port->admin_state_up;
    const bool up = snapshot_.bridges.at(port.port->bridge_id).record->admin_state_up;
    plan_.desired.bridges.try_emplace(vni, datapath::BridgeSpec{vni, up, {}, {}});
    for (const Ip& ip : known_addresses(*port.port))
      neighbours_[vni].push_back({ip, *port.port->mac_address, port.id, link.has_link()});
  }

  // Whether the guest of a port that is bound here is still where the port was taken over from, as far as is known.
  bool on_standby(const BoundPort& bound, const ServedBridge& bridge) const {
    if (!plan_.overlay || !bound.taken_from || bound.taken_from->host_id == snapshot_.host) return false;
    const auto heard = heard_.find(bound.id);
    if (heard != heard_.end() && heard->second == bound.revision) return false;
    if (!bridge.peers_known) return true;
    const Peers::Offer* offer = bridge.peers->find(bound.id);
    return offer && !offer->port->standby && offer->port->revision < bound.revision;
  }

  // A port that is not bound here any more: why it goes; empty when it stays.
  std::string linger(const LingeringPort& port) {
    LingeringPlan out{port.id, port.bridge, port.revision, port.interface, 0, {}, port.doubtful};
    if (port.port_known) {
      if (!port.doubtful) out.taken_by = port.port->host_id;
      if (std::string why = keep(port, port.bridge); !why.empty()) return why;
      const auto spec = plan_.desired.ports.find(port.id);
      if (spec != plan_.desired.ports.end()) out.ifindex = spec->second.ifindex;
    }
    plan_.lingering.push_back(std::move(out));
    return {};
  }

  // Plugs a port that was taken over as it was, if its guest runs here: its interface has link, and no host has heard the
  // guest elsewhere.
  std::string keep(const BoundPort& port, const Uuid& of) {
    if (!plan_.overlay) return "the host is in no tunnel zone";
    const auto at = snapshot_.bridges.find(of);
    if (at == snapshot_.bridges.end() || !at->second.known) return {};
    const ServedBridge& bridge = at->second;
    if (!bridge.record || !bridge.record->vni || vni_holders_.at(*bridge.record->vni) != of)
      return "its bridge is not available";
    if (const auto holder = holders_.find(port.interface); holder != holders_.end() && holder->second->id != port.id)
      return fmt::format("{} carries port {}", port.interface, holder->second->id);
    const Link* link = links_.find(port.interface);
    if (!link || !link->has_link()) return fmt::format("{} has no link any more", port.interface);
    if (std::string reason = obstacle(*link, links_, uplinks_); !reason.empty()) return reason;
    if (const Peers::Offer* offer = bridge.peers->find(port.id);
        offer && !offer->port->standby && offer->port->revision > port.revision)
      return "its guest was heard on another host";
    if (!lingering_.emplace(link->ifindex).second) return fmt::format("{} carries another port", port.interface);
    plug(port, *bridge.record->vni, *link);
    declare(port, *bridge.record->vni, *link);
    return {};
  }

  // Null for a port that is not bound here.
  PortPlan* planned(const Uuid& id) {
    const auto at = std::lower_bound(plan_.ports.begin(), plan_.ports.end(), id,
                                     [](const PortPlan& port, const Uuid& wanted) { return port.id < wanted; });
    return at != plan_.ports.end() && at->id == id ? &*at : nullptr;
  }
  bool standby(const Uuid& id) const { return standby_.contains(id); }

  // What other hosts have on each bridge that has a port here.
  void look_around() {
    if (!plan_.overlay) return;
    for (const auto& [id, bridge] : snapshot_.bridges) {
      if (!bridge.record || !bridge.record->vni) continue;
      const Vni vni = *bridge.record->vni;
      if (!plan_.desired.bridges.contains(vni) || vni_holders_.at(vni) != id) continue;
      RemoteBridge there = remote_bridge(*bridge.peers, plan_.overlay->self, options_.family,
                                         [this](const Uuid& port) { return own_word(port); });
      for (const RemoteBridge::Declared& one : there.declared) {
        declared_.push_back({.vni = vni,
                             .mac = one.mac,
                             .port = one.port,
                             .revision = one.revision,
                             .active = one.active,
                             .heard = one.heard,
                             .host = one.host,
                             .vtep = one.vtep});
      }
      remotes_.emplace_hint(remotes_.end(), vni, std::move(there));
    }
  }

  void settle_macs() {
    owners_ = settle_declared(std::move(declared_), [this](std::span<const DeclaredMac> ports, const MacOwner& owner) {
      if (owner.configured) plan_.desired.ports.at(owner.port).mac = ports.front().mac;
      for (const DeclaredMac& port : ports) {
        if (port.host) continue;
        PortPlan* plan = planned(port.port);
        if (plan) plan->contested = owner.contested && port.active;
        if (ports.size() > 1) remark(plan, stands_twice(port, ports, owner));
      }
    });
  }

  // What the status of `port`, one of several with this MAC address, says. The first is the one that has it.
  std::string stands_twice(const DeclaredMac& port, std::span<const DeclaredMac> ports, const MacOwner& owner) const {
    const DeclaredMac& first = ports.front();
    const DeclaredMac& other = &port == &first ? ports[1] : first;
    std::string out =
        fmt::format("macAddress {} is also that of port {} {}", port.mac, other.port, place(other.port, other.host));
    if (!other.active) out += ", which is down";
    if (ports.size() > 2) out += fmt::format(", and of {} more", ports.size() - 2);
    if (!first.active) return out;
    out += &port == &first ? ": its frames come here" : ": its frames go there";
    if (owner.contested) out += first.heard ? ", where it is heard" : ", which was bound first";
    return out;
  }

  std::string place(const Uuid& port, const std::optional<Uuid>& host) const {
    if (host) return fmt::format("on host {}", *host);
    const auto spec = plan_.desired.ports.find(port);
    return fmt::format("on {} of this host",
                       spec == plan_.desired.ports.end() ? "an interface" : spec->second.interface);
  }

  // Which ARP requests are answered, with what the ports of one bridge have, here and there.
  void answer(std::vector<Neighbour> claims, std::map<Ip, Mac>& neighbours) {
    for (const NeighbourConflict& conflict : settle_neighbours(std::move(claims), neighbours)) {
      const Neighbour& other = conflict.other;
      remark(planned(conflict.port),
             fmt::format("fixed address {} is also that of port {} {}{}", other.ip, other.port,
                         place(other.port, other.host),
                         other.active ? ": ARP requests for it are left to the guests" : ", which is down"));
    }
  }

  static void remark(PortPlan* port, std::string reason) {
    if (port && port->reason.empty()) port->reason = std::move(reason);
  }

  // Entries set by hand. One that names a port of another bridge is left out: it would join two networks. An address that
  // one active port is configured with stays with that port.
  void fill_tables() {
    for (const auto& [id, bridge] : snapshot_.bridges) {
      if (!bridge.record || !bridge.record->vni) continue;
      const auto at = plan_.desired.bridges.find(*bridge.record->vni);
      if (at == plan_.desired.bridges.end() || vni_holders_.at(at->first) != id) continue;
      datapath::BridgeSpec& spec = at->second;
      for (const auto& [name, target] : bridge.mac_table) {
        const auto mac = Mac::parse(name);
        if (!target || !mac || mac->is_multicast() || mac->is_zero()) continue;
        const auto port = plan_.desired.ports.find(target->port);
        if (port == plan_.desired.ports.end() || port->second.vni != spec.vni || standby(target->port)) continue;
        if (!firm(spec.vni, *mac)) spec.static_macs.emplace(*mac, target->port);
      }
      for (const auto& [name, neighbour] : bridge.arp_table) {
        const auto ip = Ip::parse(name);
        if (neighbour && ip && !neighbour->mac.is_multicast() && !neighbour->mac.is_zero())
          spec.neighbours.emplace(*ip, neighbour->mac);
      }
    }
  }

  // The overlay, and what other hosts have on each bridge that has a port here.
  void tunnel() {
    if (!plan_.overlay) return;
    const Overlay& overlay = *plan_.overlay;
    plan_.desired.tunnel = datapath::TunnelSpec{overlay.self.vtep, overlay.mtu, {}};
    for (const auto& [zone, ip] : overlay.self.zones) plan_.desired.tunnel->addresses.insert(ip);
    set_sources(*plan_.desired.tunnel, overlay, peers_);
    plan_.warnings = foreign_sources(peers_, routes_, options_);
    for (auto& [vni, there] : remotes_)
      remote(snapshot_.bridges.at(vni_holders_.at(vni)), there, plan_.desired.bridges.at(vni));
    for (const auto& [key, entry] : learned_.all()) {
      const auto& [vni, mac] = key;
      const auto at = plan_.desired.bridges.find(vni);
      if (at == plan_.desired.bridges.end()) continue;
      const MacOwner* owner = owner_of(vni, mac);
      // Where the address stands twice, that it is heard says which port has it.
      if (owner && owner->contested && !owner->vtep && owner->port == entry.port) continue;
      if (owner || at->second.static_macs.contains(mac) || at->second.remote_macs.contains(mac))
        plan_.lost.push_back(key);
    }
    for (PortPlan& port : plan_.ports) {
      if (port.state != PortState::active && port.state != PortState::down) continue;
      const Link* link = links_.find(port.ifindex);
      if (!overlay.carried)
        remark(&port,
               fmt::format("the host's tunnel end point {} is the address of none of its interfaces: other hosts are "
                           "not reached",
                           overlay.self.vtep));
      else if (link && link->mtu > overlay.mtu)
        port.hint = fmt::format(
            "the MTU of {} is {}, that of the tunnel {}{}: larger packets do not get to other hosts{}{}", link->name,
            link->mtu, overlay.mtu, overlay.narrowest ? fmt::format(" by the path to {}", *overlay.narrowest) : "",
            port.hint.empty() ? "" : "; ", port.hint);
    }
  }

  void remote(const ServedBridge& bridge, RemoteBridge& there, datapath::BridgeSpec& spec) {
    spec.peers = std::move(there.peers);
    spec.sources = std::move(there.sources);
    spec.sources_known = bridge.peers_seen;
    auto& neighbours = neighbours_[spec.vni];
    neighbours.insert(neighbours.end(), there.neighbours.begin(), there.neighbours.end());
    for (const RemoteBridge::Claim& claimed : there.learned) {
      if (owner_of(spec.vni, claimed.mac) || keeps(spec, claimed)) continue;
      spec.remote_macs.emplace_hint(spec.remote_macs.end(), claimed.mac, datapath::RemoteMac{claimed.vtep, false});
    }
    for (auto at = owners_.lower_bound({spec.vni, Mac{}}); at != owners_.end() && at->first.first == spec.vni; ++at) {
      const auto& [key, owner] = *at;
      if (!owner.vtep) continue;
      if (owner.firm)
        spec.static_macs.erase(key.second);
      else if (spec.static_macs.contains(key.second))
        continue;
      spec.remote_macs.insert_or_assign(key.second,
                                        datapath::RemoteMac{*owner.vtep, owner.firm && !standby(owner.port)});
    }
    for (const auto& [name, target] : bridge.mac_table) {
      const auto mac = Mac::parse(name);
      if (!target || !mac || mac->is_multicast() || mac->is_zero()) continue;
      if (const MacOwner* owner = owner_of(spec.vni, *mac); owner && !owner->vtep && owner->configured) continue;
      const auto vtep = there.ports.find(target->port);
      if (vtep == there.ports.end()) continue;
      // What is on standby here is the guest's as soon as it is heard.
      const bool configured = !standby(target->port);
      const auto [at, fresh] = spec.remote_macs.try_emplace(*mac, datapath::RemoteMac{vtep->second, configured});
      if (!fresh && !at->second.configured) at->second = {vtep->second, configured};
    }
  }

  // This host's word about a port that it has, as others would read it.
  std::optional<model::OfferedPort> own_word(const Uuid& id) const {
    model::OfferedPort out;
    if (const BoundPort* bound = find_port(snapshot_, id)) {
      out.revision = bound->revision;
      out.standby = standby(id);
      return out;
    }
    const auto at = std::find_if(plan_.lingering.begin(), plan_.lingering.end(),
                                 [&](const LingeringPlan& port) { return port.id == id; });
    if (at == plan_.lingering.end()) return {};
    out.revision = at->revision;
    return out;
  }

  // A MAC that another host has learned: whether this host has it all the same.
  bool keeps(const datapath::BridgeSpec& spec, const RemoteBridge::Claim& claimed) const {
    if (spec.static_macs.contains(claimed.mac)) return true;
    const Learned::Entry* own = learned_.find(spec.vni, claimed.mac);
    return own && (own->moves > claimed.moves ||
                   (own->moves == claimed.moves && plan_.overlay->self.vtep < claimed.host_vtep));
  }

  const MacOwner* owner_of(Vni vni, const Mac& mac) const {
    const auto at = owners_.find({vni, mac});
    return at == owners_.end() ? nullptr : &at->second;
  }
  bool firm(Vni vni, const Mac& mac) const {
    const MacOwner* owner = owner_of(vni, mac);
    return owner && (owner->vtep ? owner->firm : owner->configured);
  }

  const Snapshot& snapshot_;
  const LinkTable& links_;
  const OverlayOptions& options_;
  const Learned& learned_;
  const Heard& heard_;
  const netlink::RouteTable& routes_;
  PeerAddresses peers_;
  std::map<std::uint32_t, std::string> uplinks_;
  std::set<Uuid> standby_;
  std::set<std::uint32_t> lingering_;  // the interfaces of ports that are kept
  std::unordered_map<std::string_view, const BoundPort*> holders_;
  std::map<Vni, Uuid> vni_holders_;
  std::vector<DeclaredMac> declared_;
  MacOwners owners_;
  std::map<Vni, RemoteBridge> remotes_;
  std::map<Vni, std::vector<Neighbour>> neighbours_;  // by what ports have, here and there
  Plan plan_;
};

}  // namespace

Plan make_plan(const Snapshot& snapshot, const netlink::LinkTable& links, const OverlayOptions& options,
               const Learned& learned, const Heard& heard, const netlink::RouteTable& routes) {
  return Planner(snapshot, links, options, learned, heard, routes).run();
}

std::set<netlink::Destination> routes_for(const Snapshot& snapshot, const LinkTable& links,
                                          const OverlayOptions& options) {
  return destinations(peers_of(snapshot, overlay_of(addresses(snapshot), links, options), options), options);
}

std::optional<Learned::Moves> learned_elsewhere(const Snapshot& snapshot, Vni vni, const Mac& mac) {
  std::optional<Learned::Moves> most;
  for (const auto& [id, bridge] : snapshot.bridges) {
    if (!bridge.record || bridge.record->vni != vni) continue;
    for (const Peers::Offer& offer : bridge.peers->offers) {
      if (offer.port->learned.empty()) continue;
      const auto at = offer.port->learned.find(mac);
      if (at != offer.port->learned.end()) most = std::max(most.value_or(0), at->second);
    }
  }
  return most;
}

}  // namespace midonet::agent
