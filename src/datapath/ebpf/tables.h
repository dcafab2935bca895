// The contents of the BPF maps that the agent writes, as values: what we know to be in the kernel. Filled by reading
// the maps and kept up to date by each write that succeeded. Pure data; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "datapath/datapath.h"
#include "datapath/ebpf/abi.h"

namespace midonet::datapath {

struct BridgeTables {
  std::map<Mac, std::uint32_t> fdb;         // configured: MAC -> ifindex
  std::map<std::uint32_t, Mac> neighbours;  // IPv4 address in network byte order -> MAC
  std::vector<std::uint32_t> members;       // ifindexes in whole chunks, 0 for a free place
  std::map<Mac, RemoteMac> remotes;
  std::vector<std::optional<Ip>> peers;  // in whole chunks, nothing for a free place
  std::set<Ip> admitted;                 // may send frames of the bridge
  bool open = false;                     // any address may
  bool empty() const {
    return fdb.empty() && neighbours.empty() && members.empty() && remotes.empty() && peers.empty() &&
           admitted.empty() && !open;
  }
  bool operator==(const BridgeTables&) const = default;
};

struct Tables {
  std::unordered_map<std::uint32_t, abi::port> ports;  // by ifindex
  std::map<std::uint32_t, BridgeTables> bridges;       // by VNI; none that is empty
  abi::tunnel tunnel{};
  std::set<Ip> addresses;                      // that frames may come to through the tunnel
  std::array<std::optional<Ip>, 2> sources{};  // of tunnel packets, to IPv4 and to IPv6 peers
  std::map<Ip, Ip> peer_sources{};
};

inline Uuid id_of(const abi::port& port) { return Uuid(std::to_array(port.id)); }

inline bool same(const abi::port& a, const abi::port& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

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

// Nothing for a free place, or for an entry of nobody's making.
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
