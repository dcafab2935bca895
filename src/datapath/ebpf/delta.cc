#include "datapath/ebpf/delta.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace midonet::datapath {
namespace {

// Free places in "counters".
class Slots {
 public:
  Slots(const Tables& known, std::uint32_t max_ports) : used_(max_ports) {
    for (const auto& [ifindex, port] : known.ports) {
      if (port.slot < used_.size()) used_[port.slot] = true;
    }
  }
  std::optional<std::uint32_t> take() {
    while (next_ < used_.size() && used_[next_]) next_++;
    if (next_ == used_.size()) return std::nullopt;
    used_[next_] = true;
    return static_cast<std::uint32_t>(next_);
  }

 private:
  std::vector<bool> used_;
  std::size_t next_ = 0;
};

abi::port entry_of(const PortSpec& spec, const BridgeSpec& bridge) {
  abi::port port{};
  port.vni = spec.vni.number();
  port.flags = flag_if(spec.admin_up, abi::port_up) | flag_if(bridge.admin_up, abi::port_bridge_up) |
               flag_if(spec.mac.has_value(), abi::port_has_mac);
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
    for (const auto& [id, spec] : desired_.ports) {
      if (!in_scope(spec.vni.number()) || at_hand_.unusable.contains(id)) continue;
      if (spec.ifindex == 0) {
        delta_.refused.emplace(id, Error{Code::invalid, fmt::format("plug {}: 0 is not an ifindex", spec.interface)});
        continue;
      }
      if (!desired_.bridges.contains(spec.vni)) {
        delta_.refused.emplace(
            id, Error{Code::invalid, fmt::format("plug {}: there is no bridge with VNI {}", spec.interface, spec.vni)});
        continue;
      }
      if (const auto holder = holder_of(spec); holder && *holder != id) {
        refuse_taken(spec, *holder);
        continue;
      }
      const auto [claim, first] = claims_.try_emplace(spec.ifindex, &spec);
      if (!first) refuse_taken(spec, claim->second->id);
    }
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
