// What has to be written so that the maps hold what is desired. Pure: values in, values out; the tests need no kernel.
// Used by EbpfDatapath, which writes it down in the order that the fields stand in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "datapath/datapath.h"
#include "datapath/ebpf/tables.h"

namespace midonet::datapath {

struct Delta {
  struct FdbSet {
    std::uint32_t vni;
    Mac mac;
    std::uint32_t ifindex;
  };
  struct FdbGone {
    std::uint32_t vni;
    Mac mac;
  };
  struct NeighbourSet {
    std::uint32_t vni;
    std::uint32_t ip;
    Mac mac;
  };
  struct NeighbourGone {
    std::uint32_t vni;
    std::uint32_t ip;
  };
  struct Chunk {
    abi::members_key key;
    std::optional<abi::members> ports;  // nothing: the chunk goes
  };
  struct RemoteSet {
    std::uint32_t vni;
    Mac mac;
    RemoteMac remote;
  };
  struct RemoteGone {
    std::uint32_t vni;
    Mac mac;
  };
  struct PeerChunk {
    abi::members_key key;
    std::vector<std::optional<Ip>> peers;  // MIDONET_CHUNK_PEERS; none: the chunk goes
  };

  // Of an address, or of any (nothing).
  struct Admission {
    std::uint32_t vni;
    std::optional<Ip> address;
    auto operator<=>(const Admission&) const = default;
  };

  // Before the rest: they may send as soon as they hear of the bridge.
  std::vector<Admission> admitted_set;
  // New or changed ports, by ifindex.
  std::vector<std::pair<std::uint32_t, abi::port>> ports;
  std::vector<FdbSet> fdb_set;
  // A MAC that moves between hosts is in one of the two tables at every moment.
  std::vector<RemoteSet> remotes_set;
  std::vector<FdbGone> fdb_gone;
  std::vector<RemoteGone> remotes_gone;
  std::vector<NeighbourSet> neighbours_set;
  std::vector<NeighbourGone> neighbours_gone;
  // Of one bridge: chunks that are written in ascending order, then those that go in descending order, so that there
  // is never a gap.
  std::vector<Chunk> chunks;
  std::vector<PeerChunk> peer_chunks;  // likewise
  std::vector<Admission> admitted_gone;
  // Ports that go, with everything that hangs on them.
  std::vector<std::uint32_t> ports_gone;

  // Desired ports that can't be: nothing above is about them.
  std::map<Uuid, Error> refused;

  bool writes_nothing() const {
    return ports.empty() && fdb_set.empty() && fdb_gone.empty() && neighbours_set.empty() && neighbours_gone.empty() &&
           chunks.empty() && ports_gone.empty() && remotes_set.empty() && remotes_gone.empty() && peer_chunks.empty() &&
           admitted_set.empty() && admitted_gone.empty();
  }
};

struct Circumstances {
  // The bridges that are to be looked at; nothing means all.
  std::optional<std::set<Vni>> scope;
  std::uint32_t max_ports = 0;
  // Ports whose interfaces can't be used now: they are planned as if they were to go.
  std::set<Uuid> unusable;
  // Whose clsact is ours, where that was just found out; else the known entry tells.
  std::unordered_map<std::uint32_t, bool> owns_clsact;
};

// The bridges whose tables may differ between the two.
std::set<Vni> changed_bridges(const Desired& before, const Desired& after);

// Makes `held` equal to `next`, at the cost of what differs (and of a comparison of the rest).
void update(Desired& held, const Desired& next);

// `known` is what the kernel holds. A port that is known keeps its slot and its place in its bridge.
// With Sweep::no, what is not desired stays, except entries that would lead frames to a port that is not in their
// bridge. Of two desired ports that want one interface, the one that has it keeps it, else the smaller id gets it;
// the other is refused with Code::conflict. Of two ports with one configured MAC, a static entry decides, else the
// smaller id. Without a tunnel no MAC is remote and nobody a peer; nobody is his own peer.
Delta difference(const Tables& known, const Desired& desired, Sweep sweep, const Circumstances& circumstances);

// What the tables hold once the delta was written.
void apply_to(Tables& tables, const Delta& delta);

}  // namespace midonet::datapath
