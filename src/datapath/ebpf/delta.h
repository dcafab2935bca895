// What has to be written so that the maps hold what is desired. Pure: values in, values out; the tests need no kernel.
// Used by EbpfDatapath, which writes it down in an order of its own (map_writes.cc).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "datapath/datapath.h"
#include "datapath/ebpf/tables.h"

namespace midonet::datapath {

struct Delta {
  // New or changed ports, by ifindex.
  std::vector<std::pair<std::uint32_t, abi::port>> ports;
  OfEachTable<Changes> of_bridges;
  // Ports that go, with everything that hangs on them.
  std::vector<std::uint32_t> ports_gone;

  // Desired ports that can't be: nothing above is about them.
  std::map<Uuid, Error> refused;

  template <class Table>
  Changes<Table>& of() {
    return std::get<Changes<Table>>(of_bridges);
  }
  template <class Table>
  const Changes<Table>& of() const {
    return std::get<Changes<Table>>(of_bridges);
  }

  bool writes_nothing() const {
    return ports.empty() && ports_gone.empty() &&
           std::apply([](const auto&... changes) { return (changes.empty() && ...); }, of_bridges);
  }
};

struct Circumstances {
  // The bridges that are to be looked at; nothing means all.
  std::optional<std::set<Vni>> scope;
  // The desired ports of these, where the caller has them; else they are looked for.
  const std::vector<const PortSpec*>* ports = nullptr;
  std::uint32_t max_ports = 0;
  // Ports whose interfaces can't be used now: they are planned as if they were to go.
  std::set<Uuid> unusable;
  // Whose clsact is ours, where that was just found out; else the known entry tells.
  std::unordered_map<std::uint32_t, bool> owns_clsact;
};

// The bridges whose tables may differ between the two.
std::set<Vni> changed_bridges(const Desired& before, const Desired& after);

// Desired ports by their bridges.
using PortsByBridge = std::map<Vni, std::vector<Uuid>>;
PortsByBridge by_bridge(const Desired& desired);
// Of these bridges those that are different in `part`, or whose ports are.
std::set<Vni> changed_bridges(const Desired& held, const PortsByBridge& ports, const Desired& part,
                              const std::set<Vni>& bridges);
// Replaces these bridges and their ports, and what belongs to no bridge, by what `part` has.
void replace(Desired& held, PortsByBridge& ports, const Desired& part, const std::set<Vni>& bridges);

// Makes `held` equal to `next`, at the cost of what differs (and of a comparison of the rest).
void update(Desired& held, const Desired& next);

// `known` is what the kernel holds. A port that is known keeps its slot and its place in its bridge.
// With Sweep::no, what is not desired stays, except entries that would lead frames to a port that is not in their
// bridge. Of two desired ports that want one interface, the one that has it keeps it, else the smaller id gets it;
// the other is refused with Code::conflict. Of two ports with one configured MAC, a static entry decides, else the
// smaller id. Without a tunnel no MAC is remote and no host a peer; a host is never its own peer.
Delta difference(const Tables& known, const Desired& desired, Sweep sweep, const Circumstances& circumstances);

// What the tables hold once the delta was written.
void apply_to(Tables& tables, const Delta& delta);

}  // namespace midonet::datapath
