#include "agent/plan/plan.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "agent/plan/guard.h"
#include "agent/plan/neighbours.h"
#include "agent/plan/owners.h"
#include "agent/plan/remote.h"

namespace midonet::agent {

using model::PortState;
using netlink::Link;
using netlink::LinkTable;

namespace {

class Planner {
 public:
  Planner(const Inputs& in, const Scope& scope) : in_(in), scope_(scope), admission_(in_) {}

  Plan run() {
    for (const auto& [ifindex, why] : in_.underlay.uplinks)
      plan_.desired.banned.insert(plan_.desired.banned.end(), ifindex);
    if (in_.underlay.overlay) {
      const Overlay& overlay = *in_.underlay.overlay;
      plan_.desired.tunnel = datapath::TunnelSpec{overlay.self.vtep, overlay.mtu, {}};
      for (const auto& [zone, ip] : overlay.self.zones) plan_.desired.tunnel->addresses.insert(ip);
      set_sources(*plan_.desired.tunnel, overlay, in_.underlay.peers);
    }
    bridges();
    ports();
    look_around();
    settle_macs();
    fill_tables();
    tunnel();
    for (auto& [vni, claims] : neighbours_) answer(std::move(claims), plan_.desired.bridges.at(vni).neighbours);
    return std::move(plan_);
  }

 private:
  // Those of the scope that have a VNI.
  void bridges() {
    const auto add = [this](const Uuid& id) {
      if (const auto vni = admission_.vni_of(id)) bridges_.emplace(*vni, id);
    };
    if (scope_.all)
      for (const auto& [id, bridge] : in_.snapshot.bridges) add(id);
    else
      for (const Uuid& id : scope_.bridges) add(id);
  }

  void ports() {
    std::set<Uuid> bound, lingering;
    if (!scope_.all) {
      bound.insert(scope_.ports.begin(), scope_.ports.end());
      for (const Uuid& id : scope_.bridges) {
        bound.insert(in_.index.ports(id).begin(), in_.index.ports(id).end());
        lingering.insert(in_.index.lingering(id).begin(), in_.index.lingering(id).end());
      }
      for (const Uuid& id : bound)
        if (const BoundPort* port = find_port(in_.snapshot, id)) admit(*port);
      for (const Uuid& id : lingering) linger(in_.snapshot.lingering.at(id));
      return;
    }
    plan_.ports.reserve(in_.snapshot.ports.size());
    for (const auto& [id, port] : in_.snapshot.ports) admit(port);
    for (const auto& [id, port] : in_.snapshot.lingering) linger(port);
  }

  void admit(const BoundPort& bound) {
    std::optional<Plugged> plugged;
    PortPlan& out = plan_.ports.emplace_back(admission_.admit(bound, plugged));
    if (out.held) plan_.desired.held.insert(out.id);
    if (out.standby) standby_.insert(bound.id);
    if (!plugged) return;
    plug(*plugged);
    if (!out.standby) declare(*plugged);
  }

  void linger(const LingeringPort& port) {
    LingeringPlan out{port.id, port.bridge, port.revision, port.interface, 0, {}, port.doubtful};
    if (port.port_known) {
      std::optional<Plugged> plugged;
      if (!port.doubtful) out.taken_by = port.port->host_id;
      if (std::string why = admission_.keep(port, port.bridge, plugged); !why.empty())
        return static_cast<void>(plan_.over.emplace(port.id, std::move(why)));
      if (plugged) {
        out.ifindex = plugged->link->ifindex;
        plug(*plugged);
        declare(*plugged);
      }
    }
    plan_.lingering.push_back(std::move(out));
  }

  // The MAC address that a port which is plugged here is configured with.
  void declare(const Plugged& plugged) {
    const auto& mac = plugged.port->port->mac_address;
    const Uuid& id = plugged.port->id;
    if (!mac) return;
    if (mac->is_multicast() || mac->is_zero())
      return remark(planned(id), fmt::format("macAddress {} is not that of a station", *mac));
    const Learned::Entry* heard = in_.learned.find(plugged.vni, *mac);
    declared_.push_back({.vni = plugged.vni,
                         .mac = *mac,
                         .port = id,
                         .revision = plugged.port->revision,
                         .active = plugged.link->has_link(),
                         .heard = heard && heard->port == id});
  }

  void plug(const Plugged& plugged) {
    const BoundPort& port = *plugged.port;
    datapath::PortSpec& spec = plan_.desired.ports[port.id];
    spec.id = port.id;
    spec.vni = plugged.vni;
    spec.ifindex = plugged.link->ifindex;
    spec.interface = plugged.link->name;
    spec.admin_up = port.port->admin_state_up;
    spec.guard = guard_of(*port.port);
    const bool up = in_.snapshot.bridges.at(plugged.bridge).record->admin_state_up;
    plan_.desired.bridges.try_emplace(plugged.vni, datapath::BridgeSpec{plugged.vni, up, {}, {}});
    for (const Ip& ip : known_addresses(*port.port))
      neighbours_[plugged.vni].push_back({ip, *port.port->mac_address, port.id, plugged.link->has_link()});
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
    if (!in_.underlay.overlay) return;
    for (const auto& [vni_key, id] : bridges_) {
      const Vni vni = vni_key;
      if (!plan_.desired.bridges.contains(vni)) continue;
      RemoteBridge there = remote_bridge(*in_.snapshot.bridges.at(id).peers, in_.underlay.overlay->self,
                                         in_.options.family, [this](const Uuid& port) { return own_word(port); });
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
    for (const auto& [vni, id] : bridges_) {
      const ServedBridge& bridge = in_.snapshot.bridges.at(id);
      const auto at = plan_.desired.bridges.find(vni);
      if (at == plan_.desired.bridges.end()) continue;
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

  // What other hosts have on each bridge that has a port here.
  void tunnel() {
    if (!in_.underlay.overlay) return;
    for (auto& [vni, there] : remotes_)
      remote(in_.snapshot.bridges.at(bridges_.at(vni)), there, plan_.desired.bridges.at(vni));
    for (const auto& [vni, spec] : plan_.desired.bridges) find_lost(spec);
    for (PortPlan& port : plan_.ports)
      if (port.state == PortState::active || port.state == PortState::down) look_at_path(port);
  }

  void find_lost(const datapath::BridgeSpec& spec) {
    const auto& all = in_.learned.all();
    for (auto at = all.lower_bound({spec.vni, Mac{}}); at != all.end() && at->first.first == spec.vni; ++at) {
      const Mac& mac = at->first.second;
      const MacOwner* owner = owner_of(spec.vni, mac);
      // Where the address stands twice, that it is heard says which port has it.
      if (owner && owner->contested && !owner->vtep && owner->port == at->second.port) continue;
      if (owner || spec.static_macs.contains(mac) || spec.remote_macs.contains(mac)) plan_.lost.push_back(at->first);
    }
  }

  // What the status of a port says of the way to other hosts.
  void look_at_path(PortPlan& port) const {
    const Overlay& overlay = *in_.underlay.overlay;
    const Link* link = in_.links.find(port.ifindex);
    if (!overlay.carried)
      remark(&port,
             fmt::format("the host's tunnel end point {} is the address of none of its interfaces: other hosts are "
                         "not reached",
                         overlay.self.vtep));
    else if (link && link->mtu > overlay.mtu)
      port.caveat = fmt::format(
          "the MTU of {} is {}, that of the tunnel {}{}: larger packets do not get to other hosts{}{}", link->name,
          link->mtu, overlay.mtu, overlay.narrowest ? fmt::format(" by the path to {}", *overlay.narrowest) : "",
          port.caveat.empty() ? "" : "; ", port.caveat);
  }

  void remote(const ServedBridge& bridge, RemoteBridge& there, datapath::BridgeSpec& spec) {
    spec.peers = std::move(there.peers);
    spec.sources = std::move(there.sources);
    spec.sources_known = bridge.peers_known != Known::unread;
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
    if (const BoundPort* bound = find_port(in_.snapshot, id)) {
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
    const Learned::Entry* own = in_.learned.find(spec.vni, claimed.mac);
    return own && (own->moves > claimed.moves ||
                   (own->moves == claimed.moves && in_.underlay.overlay->self.vtep < claimed.host_vtep));
  }

  const MacOwner* owner_of(Vni vni, const Mac& mac) const {
    const auto at = owners_.find({vni, mac});
    return at == owners_.end() ? nullptr : &at->second;
  }
  bool firm(Vni vni, const Mac& mac) const {
    const MacOwner* owner = owner_of(vni, mac);
    return owner && (owner->vtep ? owner->firm : owner->configured);
  }

  const Inputs& in_;
  const Scope& scope_;
  const Admission admission_;
  std::map<Vni, Uuid> bridges_;
  std::set<Uuid> standby_;
  std::vector<DeclaredMac> declared_;
  MacOwners owners_;
  std::map<Vni, RemoteBridge> remotes_;
  std::map<Vni, std::vector<Neighbour>> neighbours_;  // by what ports have, here and there
  Plan plan_;
};

}  // namespace

Plan make_plan(const Inputs& inputs, const Scope& scope) { return Planner(inputs, scope).run(); }

Plan make_plan(const Snapshot& snapshot, const LinkTable& links, const OverlayOptions& options, const Learned& learned,
               const Heard& heard, const netlink::RouteTable& routes) {
  const Index index(snapshot);
  const Underlay underlay =
      underlay_of(snapshot, links, options, [&](const PeerAddresses&) -> const netlink::RouteTable& { return routes; });
  return make_plan({snapshot, index, links, underlay, options, learned, heard}, {.all = true});
}

std::optional<Learned::Moves> learned_elsewhere(const Snapshot& snapshot, const Index& index, Vni vni, const Mac& mac) {
  std::optional<Learned::Moves> most;
  for (const Uuid& id : index.with_vni(vni)) {
    snapshot.bridges.at(id).peers->each_offer([&](const Peers::Offer& offer) {
      if (offer.port->learned.empty()) return;
      const auto at = offer.port->learned.find(mac);
      if (at != offer.port->learned.end()) most = std::max(most.value_or(0), at->second);
    });
  }
  return most;
}

}  // namespace midonet::agent
