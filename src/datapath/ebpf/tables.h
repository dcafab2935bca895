// The BPF maps that the agent alone writes: a declaration of each that holds entries of bridges (kernel_table.h says what belongs
// to one), and all of them together as values. Pure data; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "datapath/datapath.h"
#include "datapath/ebpf/abi.h"
#include "datapath/ebpf/kernel_maps.h"
#include "datapath/ebpf/kernel_table.h"

namespace midonet::datapath {

// What a table's declaration needs to know of one bridge.
struct BridgeView {
  std::uint32_t vni;
  const BridgeSpec* spec;                                    // null: the bridge is not desired
  const std::optional<TunnelSpec>& tunnel;                   // as desired
  bool sweeps;                                               // what is not desired goes
  const std::vector<std::uint32_t>& members;                 // ifindexes of its ports once all is written; ascending
  const std::map<std::uint32_t, const PortSpec*>& claims;    // ifindex -> the port that gets it; of all bridges
  const std::unordered_map<Uuid, std::uint32_t>& ifindexes;  // of all ports that will be there

  // A host is another one, and there is a tunnel to it.
  bool reachable(const Ip& vtep) const { return tunnel && vtep != tunnel->local; }
};

// Configured MACs: at which local interface. Of two ports with one, a static entry decides, else the smaller id.
struct Fdb {
  using Key = abi::fdb_key;
  using Value = abi::fdb_entry;
  static constexpr const char* name = "fdb";
  static constexpr bool chunks = false;
  static const auto& map(const Maps& maps) { return maps.fdb; }
  static void want(const BridgeView& view, const Entries<Fdb>& known, Wanted<Fdb>& wanted);
  // Also without a sweep where it would lead frames to a port that is not in the bridge.
  static bool goes(const BridgeView& view, const Key& key, const Value& value);
  static bool valid(const Key& /*key*/, const Value& /*value*/) { return true; }
};

// IPv4 addresses that ARP requests are answered for.
struct Neighbours {
  using Key = abi::neighbour_key;
  using Value = abi::neighbour;
  static constexpr const char* name = "neighbours";
  static constexpr bool chunks = false;
  static const auto& map(const Maps& maps) { return maps.neighbours; }
  static void want(const BridgeView& view, const Entries<Neighbours>& known, Wanted<Neighbours>& wanted);
  static bool goes(const BridgeView& view, const Key& /*key*/, const Value& /*value*/) { return view.sweeps; }
  static bool valid(const Key& /*key*/, const Value& /*value*/) { return true; }
};

// The first addresses that a secured port may send from. Stays where the port does and its spec is not at hand.
struct Guards {
  using Key = abi::guard_key;
  using Value = abi::guard;
  static constexpr const char* name = "guards";
  static constexpr bool chunks = false;
  static const auto& map(const Maps& maps) { return maps.guards; }
  static void want(const BridgeView& view, const Entries<Guards>& known, Wanted<Guards>& wanted);
  static bool goes(const BridgeView& view, const Key& key, const Value& value);
  static bool valid(const Key& /*key*/, const Value& /*value*/) { return true; }
};

// All others.
struct Allowed {
  using Key = abi::allowed_key;
  using Value = std::uint32_t;
  static constexpr const char* name = "allowed";
  static constexpr bool chunks = false;
  static const auto& map(const Maps& maps) { return maps.allowed; }
  static void want(const BridgeView& view, const Entries<Allowed>& known, Wanted<Allowed>& wanted);
  static bool goes(const BridgeView& view, const Key& key, const Value& value);
  static bool valid(const Key& key, const Value& value) { return key.prefix == value; }
};

// MACs that are behind other hosts.
struct Remotes {
  using Key = abi::fdb_key;
  using Value = abi::remote;
  static constexpr const char* name = "remotes";
  static constexpr bool chunks = false;
  static const auto& map(const Maps& maps) { return maps.remotes; }
  static void want(const BridgeView& view, const Entries<Remotes>& known, Wanted<Remotes>& wanted);
  static bool goes(const BridgeView& view, const Key& /*key*/, const Value& /*value*/) { return view.sweeps; }
  static bool valid(const Key& key, const Value& value);
};

// The ports of a bridge here, in chunks. A port that stays keeps its place.
struct Members {
  using Key = abi::members_key;
  using Value = abi::members;
  static constexpr const char* name = "members";
  static constexpr bool chunks = true;
  static const auto& map(const Maps& maps) { return maps.members; }
  static void want(const BridgeView& view, const Entries<Members>& known, Wanted<Members>& wanted);
  static bool goes(const BridgeView& /*view*/, const Key& /*key*/, const Value& /*value*/) { return true; }
  static bool valid(const Key& key, const Value& /*value*/) { return key.chunk < MIDONET_CHUNKS; }
};

// The other hosts that flooded frames are sent to, in chunks. A host that stays keeps its place.
struct Peers {
  using Key = abi::members_key;
  using Value = abi::peers;
  static constexpr const char* name = "peers";
  static constexpr bool chunks = true;
  static const auto& map(const Maps& maps) { return maps.peers; }
  static void want(const BridgeView& view, const Entries<Peers>& known, Wanted<Peers>& wanted);
  static bool goes(const BridgeView& /*view*/, const Key& /*key*/, const Value& /*value*/) { return true; }
  static bool valid(const Key& key, const Value& /*value*/) { return key.chunk < MIDONET_CHUNKS; }
};

// The addresses that may send frames of a bridge through the tunnel; an address of family 0 stands for any. Under the VNI
// MIDONET_THIS_HOST: the addresses of this host that they may come to (not of a bridge: admission.cc writes them).
struct Admitted {
  using Key = abi::admitted_key;
  using Value = std::uint32_t;
  static constexpr const char* name = "admitted";
  static constexpr bool chunks = false;
  static const auto& map(const Maps& maps) { return maps.admitted; }
  static void want(const BridgeView& view, const Entries<Admitted>& known, Wanted<Admitted>& wanted);
  static bool goes(const BridgeView& view, const Key& key, const Value& value);
  static bool valid(const Key& key, const Value& value);
};

// Something for each of these tables. A new one is added here, to the order of writes (map_writes.cc), and declared above.
template <template <class> class Of>
using OfEachTable =
    std::tuple<Of<Admitted>, Of<Allowed>, Of<Guards>, Of<Fdb>, Of<Remotes>, Of<Neighbours>, Of<Members>, Of<Peers>>;

// What we know to be in the kernel. Filled by reading the maps and kept up to date by each write that succeeded.
struct Tables {
  std::unordered_map<std::uint32_t, abi::port> ports;  // by ifindex
  OfEachTable<KernelTable> of_bridges;
  abi::tunnel tunnel{};
  std::array<std::optional<Ip>, 2> sources{};  // of tunnel packets, to IPv4 and to IPv6 peers
  std::map<Ip, Ip> peer_sources{};

  template <class Table>
  KernelTable<Table>& of() {
    return std::get<KernelTable<Table>>(of_bridges);
  }
  template <class Table>
  const KernelTable<Table>& of() const {
    return std::get<KernelTable<Table>>(of_bridges);
  }
};

inline Uuid id_of(const abi::port& port) { return Uuid(std::to_array(port.id)); }

inline std::uint32_t flag_if(bool set, abi::port_flags flag) { return set ? static_cast<std::uint32_t>(flag) : 0U; }

inline abi::fdb_key fdb_key(std::uint32_t vni, const Mac& mac) {
  abi::fdb_key key{};
  key.vni = vni;
  std::copy(mac.bytes().begin(), mac.bytes().end(), key.mac);
  return key;
}

inline abi::vtep vtep_of(const std::optional<Ip>& ip) {
  abi::vtep vtep{};
  if (!ip) return vtep;
  std::memcpy(vtep.address, ip->bytes().data(), ip->bytes().size());
  vtep.family = ip->is_v4() ? 4 : 6;
  return vtep;
}

// Nothing for a free place, or for what is no address.
inline std::optional<Ip> ip_of(const abi::vtep& vtep) {
  std::array<std::uint8_t, 4> v4;
  std::array<std::uint8_t, 16> v6;
  std::memcpy(v4.data(), vtep.address, v4.size());
  std::memcpy(v6.data(), vtep.address, v6.size());
  if (vtep.family == 4) return Ip::v4(v4);
  return vtep.family == 6 ? std::optional<Ip>(Ip::v6(v6)) : std::nullopt;
}

inline abi::admitted_key admitted_key(std::uint32_t vni, const std::optional<Ip>& address) {
  abi::admitted_key key{};
  key.vni = vni;
  key.vtep = vtep_of(address);
  return key;
}

inline Mac mac_of(const std::uint8_t (&bytes)[6]) {
  return Mac({bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]});
}

}  // namespace midonet::datapath
