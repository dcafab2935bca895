#include "datapath/ebpf/delta.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace midonet::datapath {
namespace {

// Free places in "counters".
class Slots {
 public:
  Slots(const Tables& known, std::uint32_t max_ports) : known_(known), max_ports_(max_ports) {}
  std::optional<std::uint32_t> take() {
    if (used_.empty()) look();
    while (next_ < used_.size() && used_[next_]) next_++;
    if (next_ == used_.size()) return std::nullopt;
    used_[next_] = true;
    return static_cast<std::uint32_t>(next_);
  }

 private:
  void look() {
    used_.resize(max_ports_);
    for (const auto& [ifindex, port] : known_.ports) {
      if (port.slot < used_.size()) used_[port.slot] = true;
    }
  }

  const Tables& known_;
  const std::uint32_t max_ports_;
  std::vector<bool> used_;  // none until one is taken
  std::size_t next_ = 0;
};

abi::port entry_of(const PortSpec& spec, const BridgeSpec& bridge) {
  abi::port port{};
  port.vni = spec.vni.number();
  port.flags = flag_if(spec.admin_up, abi::port_up) | flag_if(bridge.admin_up, abi::port_bridge_up) |
               flag_if(spec.mac.has_value(), abi::port_has_mac) | flag_if(spec.guard.has_value(), abi::port_guarded);
  if (spec.mac) std::copy(spec.mac->bytes().begin(), spec.mac->bytes().end(), port.mac);
  std::copy(spec.id.bytes().begin(), spec.id.bytes().end(), port.id);
  return port;
}

template <class Entries>
void add_bridges(const std::map<std::uint32_t, Entries>& bridges, std::set<std::uint32_t>& vnis) {
  for (const auto& [vni, entries] : bridges)
    if (vni != MIDONET_THIS_HOST) vnis.insert(vni);
}

class Difference {
 public:
  Difference(const Tables& known, const Desired& desired, Sweep sweep, const Circumstances& circumstances)
      : known_(known),
        desired_(desired),
        sweep_(sweep),
        at_hand_(circumstances),
        slots_(known, circumstances.max_ports) {}

  Delta run() {
    claim_interfaces();
    settle_ports();
    for (const std::uint32_t vni : bridges_in_scope()) settle_bridge(vni);
    return std::move(delta_);
  }

 private:
  bool in_scope(std::uint32_t vni) const {
    return !at_hand_.scope || at_hand_.scope->contains(Vni::from(vni).value_or(Vni{}));
  }

  // The port of each interface, among the desired ports in scope.
  void claim_interfaces() {
    if (at_hand_.ports != nullptr) {
      for (const PortSpec* spec : *at_hand_.ports) {
        in_scope_.insert(spec->id);
        claim_interface(*spec);
      }
    } else {
      for (const auto& [id, spec] : desired_.ports)
        if (in_scope(spec.vni.number())) claim_interface(spec);
    }
  }

  void claim_interface(const PortSpec& spec) {
    if (at_hand_.unusable.contains(spec.id)) return;
    const auto refuse = [&](std::string why) {
      delta_.refused.emplace(spec.id, Error{Code::invalid, fmt::format("plug {}: {}", spec.interface, why)});
    };
    if (spec.ifindex == 0) return refuse("0 is not an ifindex");
    if (!desired_.bridges.contains(spec.vni)) return refuse(fmt::format("there is no bridge with VNI {}", spec.vni));
    if (const auto holder = holder_of(spec); holder && *holder != spec.id) return refuse_taken(spec, *holder);
    const auto [claim, first] = claims_.try_emplace(spec.ifindex, &spec);
    if (!first) refuse_taken(spec, claim->second->id);
  }

  void refuse_taken(const PortSpec& spec, const Uuid& holder) {
    delta_.refused.emplace(
        spec.id, Error{Code::conflict, fmt::format("plug {}: the interface carries port {}", spec.interface, holder)});
  }

  // The desired port that is plugged at the interface already and is still desired there.
  std::optional<Uuid> holder_of(const PortSpec& spec) const {
    const auto port = known_.ports.find(spec.ifindex);
    if (port == known_.ports.end()) return std::nullopt;
    const auto other = desired_.ports.find(id_of(port->second));
    if (other == desired_.ports.end() || other->second.ifindex != spec.ifindex ||
        !desired_.bridges.contains(other->second.vni) || at_hand_.unusable.contains(other->first))
      return std::nullopt;
    return other->first;
  }

  void settle_ports() {
    for (const auto& [ifindex, spec] : claims_) {
      abi::port port = entry_of(*spec, desired_.bridges.at(spec->vni));
      const auto known = known_.ports.find(ifindex);
      const bool here = known != known_.ports.end();
      if (const auto owns = at_hand_.owns_clsact.find(ifindex); owns != at_hand_.owns_clsact.end()) {
        port.flags |= flag_if(owns->second, abi::port_owns_clsact);
      } else if (here) {
        port.flags |= known->second.flags & abi::port_owns_clsact;
      }
      // Another port at this interface counts from zero; so do two that were given one slot.
      if (here && id_of(known->second) == spec->id && known->second.slot < at_hand_.max_ports &&
          kept_slots_.insert(known->second.slot).second) {
        port.slot = known->second.slot;
      } else if (const auto slot = slots_.take()) {
        port.slot = *slot;
      } else {
        delta_.refused.emplace(
            spec->id, Error{Code::exhausted, fmt::format("plug {}: {} ports are plugged, as many as there may be",
                                                         spec->interface, at_hand_.max_ports)});
        continue;
      }
      members_[port.vni].push_back(ifindex);
      ifindex_of_.emplace(spec->id, ifindex);
      if (!here || !same(known->second, port)) delta_.ports.emplace_back(ifindex, port);
    }
    for (const auto& [ifindex, port] : known_.ports) {
      // A look-up of each port of the host is what a change of one bridge does not pay for.
      if (at_hand_.ports != nullptr && !in_scope(port.vni) && !in_scope_.contains(id_of(port))) continue;
      if (claims_.contains(ifindex)) continue;
      const auto desired = desired_.ports.find(id_of(port));
      const bool is_desired = desired != desired_.ports.end();
      if (!in_scope(port.vni) && !(is_desired && in_scope(desired->second.vni.number()))) continue;
      const bool held = desired_.held.contains(id_of(port));
      if (held) held_.insert(port.vni);
      if (is_desired || (sweep_ == Sweep::yes && !held) || desired_.banned.contains(ifindex)) {
        delta_.ports_gone.push_back(ifindex);
      } else {
        members_[port.vni].push_back(ifindex);
      }
    }
    std::sort(delta_.ports_gone.begin(), delta_.ports_gone.end());
  }

  std::set<std::uint32_t> bridges_in_scope() const {
    std::set<std::uint32_t> vnis;
    if (at_hand_.scope) {
      for (const Vni vni : *at_hand_.scope) vnis.insert(vni.number());
      return vnis;
    }
    for (const auto& [vni, bridge] : desired_.bridges) vnis.insert(vni.number());
    std::apply([&](const auto&... table) { (add_bridges(table.bridges(), vnis), ...); }, known_.of_bridges);
    return vnis;
  }

  // Whether what is not desired of a bridge goes.
  bool sweeps(std::uint32_t vni) const { return sweep_ == Sweep::yes && !held_.contains(vni); }

  void settle_bridge(std::uint32_t vni) {
    std::vector<std::uint32_t>& members = members_[vni];
    std::sort(members.begin(), members.end());
    const auto valid_vni = Vni::from(vni);
    const auto bridge = valid_vni ? desired_.bridges.find(*valid_vni) : desired_.bridges.end();
    const BridgeView view{.vni = vni,
                          .spec = bridge != desired_.bridges.end() ? &bridge->second : nullptr,
                          .tunnel = desired_.tunnel,
                          .sweeps = sweep_ == Sweep::yes && !held_.contains(vni),
                          .members = members,
                          .claims = claims_,
                          .ifindexes = ifindex_of_};
    std::apply([&](const auto&... table) { (table.difference(view, delta_.of<Declaration<decltype(table)>>()), ...); },
               known_.of_bridges);
  }

  const Tables& known_;
  const Desired& desired_;
  const Sweep sweep_;
  const Circumstances& at_hand_;
  Slots slots_;
  std::unordered_set<std::uint32_t> held_;           // the VNIs of ports that stay although nothing is known of them
  std::map<std::uint32_t, const PortSpec*> claims_;  // ifindex -> the port that gets it
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> members_;  // VNI -> ifindexes, in the end
  std::unordered_set<Uuid> in_scope_;                                      // ports, where the caller has them
  std::unordered_map<Uuid, std::uint32_t> ifindex_of_;
  std::unordered_set<std::uint32_t> kept_slots_;
  Delta delta_;
};

}  // namespace

std::set<Vni> changed_bridges(const Desired& before, const Desired& after) {
  std::set<Vni> changed;
  // Both maps are sorted: walk them side by side.
  const auto walk = [&](const auto& a, const auto& b) {
    auto x = a.begin();
    auto y = b.begin();
    while (x != a.end() || y != b.end()) {
      if (y == b.end() || (x != a.end() && x->first < y->first)) {
        changed.insert(x++->second.vni);
      } else if (x == a.end() || y->first < x->first) {
        changed.insert(y++->second.vni);
      } else {
        if (!(x->second == y->second)) {
          changed.insert(x->second.vni);
          changed.insert(y->second.vni);
        }
        ++x, ++y;
      }
    }
  };
  walk(before.ports, after.ports);
  walk(before.bridges, after.bridges);
  const auto local = [](const Desired& desired) {
    return desired.tunnel ? std::optional<Ip>(desired.tunnel->local) : std::nullopt;
  };
  if (local(before) != local(after)) {
    for (const auto& [vni, bridge] : before.bridges) changed.insert(vni);
    for (const auto& [vni, bridge] : after.bridges) changed.insert(vni);
  }
  return changed;
}

PortsByBridge by_bridge(const Desired& desired) {
  PortsByBridge out;
  for (const auto& [id, spec] : desired.ports) out[spec.vni].push_back(id);
  return out;
}

std::set<Vni> changed_bridges(const Desired& held, const PortsByBridge& ports, const Desired& part,
                              const std::set<Vni>& bridges) {
  Desired before;
  for (const Vni vni : bridges) {
    if (const auto bridge = held.bridges.find(vni); bridge != held.bridges.end()) before.bridges.insert(*bridge);
    if (const auto of_bridge = ports.find(vni); of_bridge != ports.end())
      for (const Uuid& id : of_bridge->second) before.ports.insert(*held.ports.find(id));
  }
  before.tunnel = part.tunnel;
  return changed_bridges(before, part);
}

void replace(Desired& held, PortsByBridge& ports, const Desired& part, const std::set<Vni>& bridges) {
  for (const Vni vni : bridges) {
    held.bridges.erase(vni);
    const auto of_bridge = ports.find(vni);
    if (of_bridge == ports.end()) continue;
    for (const Uuid& id : of_bridge->second) held.ports.erase(id);
    ports.erase(of_bridge);
  }
  for (const auto& [vni, bridge] : part.bridges) held.bridges.insert_or_assign(vni, bridge);
  for (const auto& [id, spec] : part.ports) {
    held.ports.insert_or_assign(id, spec);
    ports[spec.vni].push_back(id);
  }
  held.tunnel = part.tunnel;
  held.banned = part.banned;
  held.held = part.held;
}

void update(Desired& held, const Desired& next) {
  const auto walk = [](auto& a, const auto& b) {
    auto x = a.begin();
    for (auto y = b.begin(); y != b.end(); ++y) {
      while (x != a.end() && x->first < y->first) x = a.erase(x);
      if (x == a.end() || y->first < x->first) {
        a.emplace_hint(x, *y);
      } else {
        if (!(x->second == y->second)) x->second = y->second;
        ++x;
      }
    }
    a.erase(x, a.end());
  };
  walk(held.ports, next.ports);
  walk(held.bridges, next.bridges);
  held.tunnel = next.tunnel;
  held.banned = next.banned;
  held.held = next.held;
}

Delta difference(const Tables& known, const Desired& desired, Sweep sweep, const Circumstances& circumstances) {
  return Difference(known, desired, sweep, circumstances).run();
}

void apply_to(Tables& tables, const Delta& delta) {
  for (const auto& [ifindex, port] : delta.ports) tables.ports[ifindex] = port;
  std::apply([&](auto&... table) { (table.apply(delta.of<Declaration<decltype(table)>>()), ...); }, tables.of_bridges);
  for (const std::uint32_t ifindex : delta.ports_gone) tables.ports.erase(ifindex);
}

}  // namespace midonet::datapath
