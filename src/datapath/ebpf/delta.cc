#include "datapath/ebpf/delta.h"

#include <algorithm>
#include <cstring>
#include <iterator>
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

std::uint32_t wire_order(const Ip& ip) {
  std::uint32_t number = 0;
  std::memcpy(&number, ip.bytes().data(), sizeof number);
  return number;
}

// The places of a table of chunks once it holds `wanted`: who stays keeps its place, T{} is a free one.
template <class T>
std::vector<T> settled(std::vector<T> places, std::set<T> wanted, std::size_t chunk) {
  for (T& place : places) {
    if (wanted.erase(place) == 0) place = T{};  // not wanted, or there twice
  }
  std::size_t next = 0;
  for (const T& missing : wanted) {
    while (next < places.size() && places[next] != T{}) next++;
    if (next == places.size()) places.resize(places.size() + chunk);
    places[next] = missing;
  }
  const auto last = std::find_if(places.rbegin(), places.rend(), [](const T& place) { return place != T{}; });
  const auto used = static_cast<std::size_t>(places.rend() - last);
  places.resize((used + chunk - 1) / chunk * chunk);
  return places;
}

// each(number, first, last) for the chunks that differ, in ascending order, then for those that go, in descending order
// and with nothing in them.
template <class T, class Each>
void each_changed_chunk(const std::vector<T>& before, const std::vector<T>& after, std::size_t chunk, Each each) {
  for (std::size_t at = 0; at < after.size(); at += chunk) {
    const auto first = after.begin() + static_cast<std::ptrdiff_t>(at);
    const auto last = first + static_cast<std::ptrdiff_t>(chunk);
    if (at < before.size() && std::equal(first, last, before.begin() + static_cast<std::ptrdiff_t>(at))) continue;
    each(static_cast<std::uint32_t>(at / chunk), first, last);
  }
  for (std::size_t end = before.size(); end > after.size(); end -= chunk)
    each(static_cast<std::uint32_t>(end / chunk - 1), after.end(), after.end());
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

  // Who gets which interface, among the desired ports in scope.
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
    for (const auto& [vni, tables] : known_.bridges) vnis.insert(vni);
    return vnis;
  }

  // Whether what is not desired of a bridge goes.
  bool sweeps(std::uint32_t vni) const { return sweep_ == Sweep::yes && !held_.contains(vni); }

  void settle_bridge(std::uint32_t vni) {
    const auto known = known_.bridges.find(vni);
    const BridgeTables& tables = known != known_.bridges.end() ? known->second : nothing_;
    const auto found = members_.find(vni);
    std::vector<std::uint32_t> ports = found != members_.end() ? found->second : std::vector<std::uint32_t>{};
    std::sort(ports.begin(), ports.end());
    const auto valid_vni = Vni::from(vni);
    const auto bridge = valid_vni ? desired_.bridges.find(*valid_vni) : desired_.bridges.end();
    const BridgeSpec* spec = bridge != desired_.bridges.end() ? &bridge->second : nullptr;
    settle_members(vni, tables, ports);
    settle_fdb(vni, tables, ports, spec);
    settle_neighbours(vni, tables, spec);
    settle_remotes(vni, tables, spec);
    settle_peers(vni, tables, spec);
    settle_admitted(vni, tables, spec);
  }

  void settle_members(std::uint32_t vni, const BridgeTables& tables, const std::vector<std::uint32_t>& ports) {
    const auto places = settled(tables.members, {ports.begin(), ports.end()}, MIDONET_CHUNK_PORTS);
    each_changed_chunk(tables.members, places, MIDONET_CHUNK_PORTS, [&](std::uint32_t number, auto first, auto last) {
      if (first == last) {
        delta_.chunks.push_back({{vni, number}, std::nullopt});
        return;
      }
      abi::members chunk{};
      std::copy(first, last, chunk.ifindex);
      delta_.chunks.push_back({{vni, number}, chunk});
    });
  }

  void settle_fdb(std::uint32_t vni, const BridgeTables& tables, const std::vector<std::uint32_t>& ports,
                  const BridgeSpec* bridge) {
    std::map<Mac, std::uint32_t> wanted;
    if (bridge != nullptr) {
      for (const auto& [mac, id] : bridge->static_macs) {
        const auto ifindex = ifindex_of_.find(id);
        if (ifindex != ifindex_of_.end() && std::binary_search(ports.begin(), ports.end(), ifindex->second))
          wanted.emplace(mac, ifindex->second);
      }
    }
    std::vector<const PortSpec*> specs;
    for (const std::uint32_t ifindex : ports) {
      const auto claim = claims_.find(ifindex);
      if (claim != claims_.end() && claim->second->mac) specs.push_back(claim->second);
    }
    std::sort(specs.begin(), specs.end(), [](const PortSpec* a, const PortSpec* b) { return a->id < b->id; });
    for (const PortSpec* spec : specs) wanted.emplace(*spec->mac, spec->ifindex);

    for (const auto& [mac, ifindex] : wanted) {
      const auto known = tables.fdb.find(mac);
      if (known == tables.fdb.end() || known->second != ifindex) delta_.fdb_set.push_back({vni, mac, ifindex});
    }
    for (const auto& [mac, ifindex] : tables.fdb) {
      if (wanted.contains(mac)) continue;
      if (sweeps(vni) || !std::binary_search(ports.begin(), ports.end(), ifindex))
        delta_.fdb_gone.push_back({vni, mac});
    }
  }

  void settle_neighbours(std::uint32_t vni, const BridgeTables& tables, const BridgeSpec* bridge) {
    std::map<std::uint32_t, Mac> wanted;
    if (bridge != nullptr) {
      for (const auto& [ip, mac] : bridge->neighbours) {
        if (ip.is_v4()) wanted.emplace(wire_order(ip), mac);
      }
    }
    for (const auto& [ip, mac] : wanted) {
      const auto known = tables.neighbours.find(ip);
      if (known == tables.neighbours.end() || known->second != mac) delta_.neighbours_set.push_back({vni, ip, mac});
    }
    if (!sweeps(vni)) return;
    for (const auto& [ip, mac] : tables.neighbours) {
      if (!wanted.contains(ip)) delta_.neighbours_gone.push_back({vni, ip});
    }
  }

  // Whether a host is another one, and there is a tunnel to it.
  bool reachable(const Ip& vtep) const { return desired_.tunnel && vtep != desired_.tunnel->local; }

  void settle_remotes(std::uint32_t vni, const BridgeTables& tables, const BridgeSpec* bridge) {
    static const std::map<Mac, RemoteMac> none;
    const auto& wanted = bridge != nullptr ? bridge->remote_macs : none;
    for (const auto& [mac, remote] : wanted) {
      if (!reachable(remote.vtep)) continue;
      const auto known = tables.remotes.find(mac);
      if (known == tables.remotes.end() || known->second != remote) delta_.remotes_set.push_back({vni, mac, remote});
    }
    if (!sweeps(vni)) return;
    for (const auto& [mac, remote] : tables.remotes) {
      const auto found = wanted.find(mac);
      if (found == wanted.end() || !reachable(found->second.vtep)) delta_.remotes_gone.push_back({vni, mac});
    }
  }

  void settle_peers(std::uint32_t vni, const BridgeTables& tables, const BridgeSpec* bridge) {
    std::set<std::optional<Ip>> wanted;
    if (bridge != nullptr) {
      for (const Ip& peer : bridge->peers) {
        if (reachable(peer)) wanted.emplace(peer);
      }
    }
    if (!sweeps(vni)) {
      for (const auto& peer : tables.peers) {
        if (peer) wanted.insert(peer);
      }
    }
    const auto places = settled(tables.peers, std::move(wanted), MIDONET_CHUNK_PEERS);
    each_changed_chunk(tables.peers, places, MIDONET_CHUNK_PEERS, [&](std::uint32_t number, auto first, auto last) {
      delta_.peer_chunks.push_back({{vni, number}, {first, last}});
    });
  }

  void settle_admitted(std::uint32_t vni, const BridgeTables& tables, const BridgeSpec* bridge) {
    std::set<Ip> wanted;
    if (bridge != nullptr) {
      for (const auto* addresses : {&bridge->sources, &bridge->peers})
        std::copy_if(addresses->begin(), addresses->end(), std::inserter(wanted, wanted.end()),
                     [&](const Ip& address) { return reachable(address); });
    }
    const bool unknown = bridge != nullptr && desired_.tunnel && !bridge->sources_known;
    for (const Ip& address : wanted) {
      if (!tables.admitted.contains(address)) delta_.admitted_set.push_back({vni, address});
    }
    if (unknown && !tables.open && tables.admitted.empty()) delta_.admitted_set.push_back({vni, std::nullopt});
    if (!sweeps(vni) || unknown) return;
    if (tables.open) delta_.admitted_gone.push_back({vni, std::nullopt});
    for (const Ip& address : tables.admitted) {
      if (!wanted.contains(address)) delta_.admitted_gone.push_back({vni, address});
    }
  }

  const Tables& known_;
  const Desired& desired_;
  const Sweep sweep_;
  const Circumstances& at_hand_;
  Slots slots_;
  std::unordered_set<std::uint32_t> held_;  // the VNIs of ports that stay although nothing is known of them
  const BridgeTables nothing_;
  std::map<std::uint32_t, const PortSpec*> claims_;                        // ifindex -> who gets it
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
  for (const auto& [vni, address] : delta.admitted_set) {
    if (address) tables.bridges[vni].admitted.insert(*address);
    if (!address) tables.bridges[vni].open = true;
  }
  for (const auto& [vni, address] : delta.admitted_gone) {
    if (address) tables.bridges[vni].admitted.erase(*address);
    if (!address) tables.bridges[vni].open = false;
  }
  for (const auto& [ifindex, port] : delta.ports) tables.ports[ifindex] = port;
  for (const auto& set : delta.fdb_set) tables.bridges[set.vni].fdb[set.mac] = set.ifindex;
  for (const auto& gone : delta.fdb_gone) tables.bridges[gone.vni].fdb.erase(gone.mac);
  for (const auto& set : delta.neighbours_set) tables.bridges[set.vni].neighbours[set.ip] = set.mac;
  for (const auto& gone : delta.neighbours_gone) tables.bridges[gone.vni].neighbours.erase(gone.ip);
  for (const auto& chunk : delta.chunks) {
    auto& members = tables.bridges[chunk.key.vni].members;
    const std::size_t at = std::size_t{chunk.key.chunk} * MIDONET_CHUNK_PORTS;
    if (!chunk.ports) {
      members.resize(std::min(members.size(), at));
      continue;
    }
    if (members.size() < at + MIDONET_CHUNK_PORTS) members.resize(at + MIDONET_CHUNK_PORTS);
    std::copy_n(chunk.ports->ifindex, MIDONET_CHUNK_PORTS, members.begin() + static_cast<std::ptrdiff_t>(at));
  }
  for (const auto& set : delta.remotes_set) tables.bridges[set.vni].remotes[set.mac] = set.remote;
  for (const auto& gone : delta.remotes_gone) tables.bridges[gone.vni].remotes.erase(gone.mac);
  for (const auto& chunk : delta.peer_chunks) {
    auto& peers = tables.bridges[chunk.key.vni].peers;
    const std::size_t at = std::size_t{chunk.key.chunk} * MIDONET_CHUNK_PEERS;
    if (chunk.peers.empty()) {
      peers.resize(std::min(peers.size(), at));
      continue;
    }
    if (peers.size() < at + chunk.peers.size()) peers.resize(at + chunk.peers.size());
    std::copy(chunk.peers.begin(), chunk.peers.end(), peers.begin() + static_cast<std::ptrdiff_t>(at));
  }
  for (const std::uint32_t ifindex : delta.ports_gone) tables.ports.erase(ifindex);
  std::erase_if(tables.bridges, [](const auto& bridge) { return bridge.second.empty(); });
}

}  // namespace midonet::datapath
