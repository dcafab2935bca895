// EbpfDatapath and the maps: reading them, writing a Delta into them in its order, and reading it back.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/round.h"

namespace midonet::datapath {
namespace {

// Hands over the chunks of each bridge in ascending order. A walk through them ends at a gap, so none is left: nobody of
// ours makes one, and what somebody else put behind the last place that a walk can get to goes.
template <class Chunk, class Each>
Status read_chunks(const BpfMap<abi::members_key, Chunk>& map, Each each) {
  auto chunks = map.entries();
  if (!chunks) return tl::unexpected(chunks.error());
  std::sort(chunks->begin(), chunks->end(), [](const auto& a, const auto& b) { return a.first.chunk < b.first.chunk; });
  std::map<std::uint32_t, std::uint32_t> next;  // VNI -> number
  for (const auto& [key, chunk] : *chunks) {
    if (key.chunk >= MIDONET_CHUNKS) {
      if (auto removed = map.remove(key); !removed) return removed;
      continue;
    }
    std::uint32_t& number = next[key.vni];
    for (; number < key.chunk; number++) {
      if (auto filled = map.put({key.vni, number}, Chunk{}); !filled) return filled;
      each(key.vni, Chunk{});
    }
    number++;
    each(key.vni, chunk);
  }
  return {};
}

}  // namespace

Status EbpfDatapath::read_kernel() {
  const Maps& maps = objects_->maps();
  Tables read;
  auto ports = maps.ports.entries();
  if (!ports) return tl::unexpected(ports.error());
  for (const auto& [ifindex, port] : *ports) read.ports.emplace(ifindex, port);
  auto fdb = maps.fdb.entries();
  if (!fdb) return tl::unexpected(fdb.error());
  for (const auto& [key, entry] : *fdb) read.bridges[key.vni].fdb.emplace(mac_of(key.mac), entry.ifindex);
  auto neighbours = maps.neighbours.entries();
  if (!neighbours) return tl::unexpected(neighbours.error());
  for (const auto& [key, entry] : *neighbours) read.bridges[key.vni].neighbours.emplace(key.ip, mac_of(entry.mac));

  for (std::uint32_t family = 0; family < read.sources.size(); family++) {
    const auto source = maps.sources.get(family);
    if (!source) return tl::unexpected(source.error());
    if (*source) read.sources[family] = ip_of(**source);
  }
  auto peer_sources = maps.peer_sources.entries();
  if (!peer_sources) return tl::unexpected(peer_sources.error());
  for (const auto& [peer, source] : *peer_sources) {
    const auto of_peer = ip_of(peer);
    const auto of_source = ip_of(source);
    if (of_peer && of_source)
      read.peer_sources.emplace(*of_peer, *of_source);
    else if (auto removed = maps.peer_sources.remove(peer); !removed)
      return removed;
  }

  auto remotes = maps.remotes.entries();
  if (!remotes) return tl::unexpected(remotes.error());
  for (const auto& [key, remote] : *remotes) {
    const auto vtep = ip_of(remote.vtep);
    if (vtep) {
      read.bridges[key.vni].remotes.emplace(mac_of(key.mac), RemoteMac{*vtep, remote.configured != 0});
    } else if (auto removed = maps.remotes.remove(key); !removed) {  // of nobody's making
      return removed;
    }
  }
  if (auto done = read_admitted(read); !done) return done;
  const auto tunnel = maps.tunnel.get(0);
  if (!tunnel) return tl::unexpected(tunnel.error());
  if (*tunnel) read.tunnel = **tunnel;

  if (auto chunks = read_chunks(maps.members,
                                [&](std::uint32_t vni, const abi::members& chunk) {
                                  auto& members = read.bridges[vni].members;
                                  members.insert(members.end(), std::begin(chunk.ifindex), std::end(chunk.ifindex));
                                });
      !chunks)
    return chunks;
  if (auto chunks = read_chunks(maps.peers,
                                [&](std::uint32_t vni, const abi::peers& chunk) {
                                  auto& peers = read.bridges[vni].peers;
                                  for (const abi::vtep& vtep : chunk.vtep) peers.push_back(ip_of(vtep));
                                });
      !chunks)
    return chunks;
  known_ = std::move(read);
  hooked_.clear();
  return {};
}

void EbpfDatapath::write_ports(Round& round) {
  for (const auto& [ifindex, port] : round.delta.ports) {
    auto written = fresh_port(ifindex, port);
    if (written) written = objects_->maps().ports.put(ifindex, port);
    if (written) {
      known_.ports[ifindex] = port;
    } else {
      round.fail_interface(ifindex, written.error());
    }
  }
}

// What a port starts with: no counts, nothing learned. Leaves alone what a port that is known already has.
Status EbpfDatapath::fresh_port(std::uint32_t ifindex, const abi::port& port) {
  const Maps& maps = objects_->maps();
  const auto known = known_.ports.find(ifindex);
  const bool here = known != known_.ports.end();
  const bool same_port = here && id_of(known->second) == id_of(port) && known->second.slot == port.slot;
  if (!same_port) {
    forget_counts(ifindex);
    const std::vector<abi::counters> none(maps.cpus);
    if (::bpf_map_update_elem(maps.counters.get(), &port.slot, none.data(), BPF_ANY) != 0)
      return fail_errno(errno, "clear the counters of interface {}", ifindex);
  }
  if (!same_port || known->second.vni != port.vni) {
    if (here) forget_learned(ifindex, known->second.vni);
    return maps.rings.put(ifindex, abi::ring{});
  }
  const auto ring = maps.rings.get(ifindex);
  if (!ring) return tl::unexpected(ring.error());
  return *ring ? Status{} : maps.rings.put(ifindex, abi::ring{});
}

void EbpfDatapath::write_bridges(Round& round) {
  const Maps& maps = objects_->maps();
  write_admitted(round);
  for (const auto& set : round.delta.fdb_set) {
    if (round.failed_interfaces.contains(set.ifindex)) continue;
    const auto written = maps.fdb.put(fdb_key(set.vni, set.mac), {.ifindex = set.ifindex, .reserved = 0});
    if (written) {
      known_.bridges[set.vni].fdb[set.mac] = set.ifindex;
    } else {
      round.fail_interface(set.ifindex, written.error());
    }
  }
  for (const auto& set : round.delta.remotes_set) {
    const auto key = fdb_key(set.vni, set.mac);
    const auto written = maps.remotes.put(key, {.vtep = vtep_of(set.remote.vtep), .configured = set.remote.configured});
    if (!written) {
      round.fail_bridge(set.vni, written.error());
      continue;
    }
    known_.bridges[set.vni].remotes[set.mac] = set.remote;
    // What was learned of it here no longer counts, so it need not stay.
    if (set.remote.configured) (void)maps.learned.remove(key);
  }
  for (const auto& gone : round.delta.fdb_gone) {
    const auto removed = maps.fdb.remove(fdb_key(gone.vni, gone.mac));
    if (removed) {
      known_.bridges[gone.vni].fdb.erase(gone.mac);
    } else {
      round.fail_bridge(gone.vni, removed.error());
    }
  }
  for (const auto& gone : round.delta.remotes_gone) {
    const auto removed = maps.remotes.remove(fdb_key(gone.vni, gone.mac));
    if (removed) {
      known_.bridges[gone.vni].remotes.erase(gone.mac);
    } else {
      round.fail_bridge(gone.vni, removed.error());
    }
  }
  for (const auto& set : round.delta.neighbours_set) {
    abi::neighbour neighbour{};
    std::copy(set.mac.bytes().begin(), set.mac.bytes().end(), neighbour.mac);
    const auto written = maps.neighbours.put({.vni = set.vni, .ip = set.ip}, neighbour);
    if (written) {
      known_.bridges[set.vni].neighbours[set.ip] = set.mac;
    } else {
      round.fail_bridge(set.vni, written.error());
    }
  }
  for (const auto& gone : round.delta.neighbours_gone) {
    const auto removed = maps.neighbours.remove({.vni = gone.vni, .ip = gone.ip});
    if (removed) {
      known_.bridges[gone.vni].neighbours.erase(gone.ip);
    } else {
      round.fail_bridge(gone.vni, removed.error());
    }
  }
  for (auto& chunk : round.delta.chunks) {
    if (chunk.ports) {
      // An interface without our hooks gets no frames.
      for (std::uint32_t& ifindex : chunk.ports->ifindex) {
        if (round.failed_interfaces.contains(ifindex)) ifindex = 0;
      }
    }
    const auto written = chunk.ports ? maps.members.put(chunk.key, *chunk.ports) : maps.members.remove(chunk.key);
    if (written) {
      Delta one;
      one.chunks.push_back(chunk);
      apply_to(known_, one);
      continue;
    }
    round.fail_bridge(chunk.key.vni, written.error());
    if (!chunk.ports) continue;
    for (const std::uint32_t ifindex : chunk.ports->ifindex) {
      if (round.owners.contains(ifindex)) round.fail_interface(ifindex, written.error());
    }
  }
  for (const auto& chunk : round.delta.peer_chunks) {
    abi::peers peers{};
    std::transform(chunk.peers.begin(), chunk.peers.end(), std::begin(peers.vtep), vtep_of);
    const auto written = chunk.peers.empty() ? maps.peers.remove(chunk.key) : maps.peers.put(chunk.key, peers);
    if (written) {
      Delta one;
      one.peer_chunks.push_back(chunk);
      apply_to(known_, one);
    } else {
      round.fail_bridge(chunk.key.vni, written.error());
    }
  }
}

// Reads back every entry that this round wrote; the hooks were read back when they were attached.
void EbpfDatapath::verify(Round& round) {
  const Maps& maps = objects_->maps();
  const auto differs = [&](const std::string& map, std::uint32_t ifindex) {
    round.fail_interface(
        ifindex, Error{Code::unavailable, fmt::format("the entry of interface {} in the BPF map \"{}\" was not there "
                                                      "when read back",
                                                      ifindex, map)});
    stale_ = true;
  };
  for (const auto& [ifindex, port] : round.delta.ports) {
    if (round.failed_interfaces.contains(ifindex)) continue;
    const auto entry = maps.ports.get(ifindex);
    if (!entry || !*entry || !same(**entry, port)) differs("ports", ifindex);
    const auto ring = maps.rings.get(ifindex);
    if (!ring || !*ring) differs("rings", ifindex);
  }
  for (const auto& set : round.delta.fdb_set) {
    if (round.failed_interfaces.contains(set.ifindex)) continue;
    const auto entry = maps.fdb.get(fdb_key(set.vni, set.mac));
    if (!entry || !*entry || (*entry)->ifindex != set.ifindex) differs("fdb", set.ifindex);
  }
  const auto bridge_differs = [&](const std::string& map, std::uint32_t vni) {
    round.fail_bridge(vni,
                      Error{Code::unavailable, fmt::format("an entry of VNI {} in the BPF map \"{}\" was not there "
                                                           "when read back",
                                                           vni, map)});
    stale_ = true;
  };
  for (const auto& set : round.delta.remotes_set) {
    const auto bridge = known_.bridges.find(set.vni);
    if (bridge == known_.bridges.end()) continue;
    const auto written = bridge->second.remotes.find(set.mac);
    if (written == bridge->second.remotes.end() || written->second != set.remote) continue;  // failed: it is told
    const auto entry = maps.remotes.get(fdb_key(set.vni, set.mac));
    if (!entry || !*entry || ip_of((*entry)->vtep) != set.remote.vtep) bridge_differs("remotes", set.vni);
  }
  for (const auto& [vni, address] : round.delta.admitted_set) {
    if (round.unfinished.contains(Vni::from(vni).value_or(Vni{}))) continue;
    const auto entry = maps.admitted.get(admitted_key(vni, address));
    if (!entry || !*entry) bridge_differs("admitted", vni);
  }
  for (const auto& chunk : round.delta.peer_chunks) {
    if (round.unfinished.contains(Vni::from(chunk.key.vni).value_or(Vni{}))) continue;
    const auto entry = maps.peers.get(chunk.key);
    if (!entry || entry->has_value() == chunk.peers.empty()) bridge_differs("peers", chunk.key.vni);
  }
  for (const auto& chunk : round.delta.chunks) {
    if (!chunk.ports) continue;
    const auto entry = maps.members.get(chunk.key);
    for (int i = 0; i < MIDONET_CHUNK_PORTS; i++) {
      const std::uint32_t ifindex = chunk.ports->ifindex[i];
      if (ifindex == 0 || round.failed_interfaces.contains(ifindex)) continue;
      if (!entry || !*entry || (*entry)->ifindex[i] != ifindex) differs("members", ifindex);
    }
  }
}

void EbpfDatapath::forget_learned(std::uint32_t ifindex, std::uint32_t vni) {
  const Maps& maps = objects_->maps();
  const auto ring = maps.rings.get(ifindex);
  if (!ring || !*ring) return;
  for (const auto& bytes : (*ring)->mac) {
    const Mac mac = mac_of(bytes);
    if (mac.is_zero()) continue;
    const auto entry = maps.learned.get(fdb_key(vni, mac));
    // Left behind, it would lead nowhere and age.
    if (entry && *entry && (*entry)->ifindex == ifindex) (void)maps.learned.remove(fdb_key(vni, mac));
  }
}

void EbpfDatapath::forget(Vni vni, const Mac& mac) {
  (void)objects_->maps().learned.remove(fdb_key(vni.number(), mac));
}

void EbpfDatapath::forget_counts(std::uint32_t ifindex) {
  (void)objects_->maps().floods.remove(ifindex);
  for (std::uint32_t reason = 0; reason < abi::drop_reasons; reason++)
    (void)objects_->maps().drops.remove({.ifindex = ifindex, .reason = reason});
}

}  // namespace midonet::datapath
