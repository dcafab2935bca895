// EbpfDatapath and the maps: reading them, writing a Delta into them in its order, and reading it back.
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/round.h"

namespace midonet::datapath {
namespace {

// The interfaces whose ports have to know when an entry is not as written: those that it names and `read`, what was found
// instead, does not.
std::vector<std::uint32_t> interfaces(const abi::fdb_entry& written, const abi::fdb_entry* read) {
  if (read != nullptr && read->ifindex == written.ifindex) return {};
  return {written.ifindex};
}
std::vector<std::uint32_t> interfaces(const abi::members& written, const abi::members* read) {
  std::vector<std::uint32_t> out;
  for (int i = 0; i < MIDONET_CHUNK_PORTS; i++) {
    const std::uint32_t ifindex = written.ifindex[i];
    if (ifindex != 0 && (read == nullptr || read->ifindex[i] != ifindex)) out.push_back(ifindex);
  }
  return out;
}

// Tables with entries that belong to one interface.
template <class Table>
constexpr bool of_interfaces = std::is_same_v<Table, Guards> || std::is_same_v<Table, Allowed>;

// Tables whose entries lead to interfaces.
template <class Table>
constexpr bool leads_to_interfaces = std::is_same_v<Table, Fdb> || std::is_same_v<Table, Members>;

}  // namespace

// A walk through chunks ends at a gap, so none is left: no agent makes one, and what another program put behind the last
// place that a walk can get to goes.
template <class Table>
Status EbpfDatapath::read_table(Tables& read) const {
  const auto& map = Table::map(objects_->maps());
  const auto entries = map.entries();
  if (!entries) return failed(entries);
  auto& table = read.of<Table>();
  for (const auto& [key, value] : *entries) {
    if (Table::valid(key, value))
      table.put(key, value);
    else if (auto removed = map.remove(key); !removed)
      return removed;
  }
  if constexpr (Table::chunks) {
    std::vector<typename Table::Key> gaps;
    for (const auto& [vni, chunks] : table.bridges()) {
      for (std::uint32_t number = 0; number < chunks.rbegin()->first.chunk; number++)
        if (!chunks.contains({.vni = vni, .chunk = number})) gaps.push_back({.vni = vni, .chunk = number});
    }
    for (const auto& gap : gaps) {
      if (auto filled = map.put(gap, {}); !filled) return filled;
      table.put(gap, {});
    }
  }
  return {};
}

Status EbpfDatapath::read_kernel() {
  const Maps& maps = objects_->maps();
  Tables read;
  auto ports = maps.ports.entries();
  if (!ports) return failed(ports);
  for (const auto& [ifindex, port] : *ports) read.ports.emplace(ifindex, port);
  Status tables;
  std::apply(
      [&](const auto&... table) { ((tables = read_table<Declaration<decltype(table)>>(read)).has_value() && ...); },
      read.of_bridges);
  if (!tables) return tables;
  if (auto opened = open_bridges(read); !opened) return opened;

  for (std::uint32_t family = 0; family < read.sources.size(); family++) {
    const auto source = maps.sources.get(family);
    if (!source) return failed(source);
    if (*source) read.sources[family] = ip_of(**source);
  }
  auto peer_sources = maps.peer_sources.entries();
  if (!peer_sources) return failed(peer_sources);
  for (const auto& [peer, source] : *peer_sources) {
    const auto of_peer = ip_of(peer);
    const auto of_source = ip_of(source);
    if (of_peer && of_source)
      read.peer_sources.emplace(*of_peer, *of_source);
    else if (auto removed = maps.peer_sources.remove(peer); !removed)
      return removed;
  }

  const auto tunnel = maps.tunnel.get(0);
  if (!tunnel) return failed(tunnel);
  if (*tunnel) read.tunnel = **tunnel;

  known_ = std::move(read);
  hooked_.clear();
  return {};
}

// What secured ports may send from is there before it counts, so what stays allowed passes at every moment.
void EbpfDatapath::write_ports(Round& round) {
  write_set<Allowed>(round);
  write_set<Guards>(round);
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
    if (auto cleared = maps.counters.clear(port.slot, maps.cpus); !cleared) return cleared;
  }
  if (!same_port || known->second.vni != port.vni) {
    if (here) forget_learned(ifindex, known->second.vni);
    return maps.rings.put(ifindex, abi::ring{});
  }
  const auto ring = maps.rings.get(ifindex);
  if (!ring) return failed(ring);
  return *ring ? Status{} : maps.rings.put(ifindex, abi::ring{});
}

template <class Table>
void EbpfDatapath::write_set(Round& round) {
  const auto& map = Table::map(objects_->maps());
  for (const auto& [key, value] : round.delta.of<Table>().set) {
    if constexpr (std::is_same_v<Table, Fdb>) {
      if (round.failed_interfaces.contains(value.ifindex)) continue;
    }
    const auto written = map.put(key, value);
    if (written) {
      known_.of<Table>().put(key, value);
      // What was learned here of a MAC that is configured on another host no longer counts, so it need not stay.
      if constexpr (std::is_same_v<Table, Remotes>) {
        if (value.configured != 0) (void)objects_->maps().learned.remove(key);
      }
      continue;
    }
    if constexpr (of_interfaces<Table>) {
      round.fail_interface(key.ifindex, written.error());
      continue;
    }
    if constexpr (leads_to_interfaces<Table>) {
      for (const std::uint32_t ifindex : interfaces(value, nullptr)) {
        if (Table::chunks && !round.owners.contains(ifindex)) continue;
        round.fail_interface(ifindex, written.error());
      }
    }
    if constexpr (!std::is_same_v<Table, Fdb>) round.fail_bridge(key.vni, written.error());
  }
}

template <class Table>
void EbpfDatapath::write_gone(Round& round) {
  const auto& map = Table::map(objects_->maps());
  for (const auto& key : round.delta.of<Table>().gone) {
    if (const auto removed = map.remove(key); removed)
      known_.of<Table>().remove(key);
    else
      round.fail_bridge(key.vni, removed.error());
  }
}

// The order matters. An address may send as soon as its host hears of the bridge. A MAC that moves between hosts is in one of the two
// tables at every moment. Frames are copied to a port when all its other entries are there.
void EbpfDatapath::write_bridges(Round& round) {
  write_gone<Guards>(round);
  write_gone<Allowed>(round);
  write_set<Admitted>(round);
  expire_admitted(round);
  write_gone<Admitted>(round);
  write_set<Fdb>(round);
  write_set<Remotes>(round);
  write_gone<Fdb>(round);
  write_gone<Remotes>(round);
  write_set<Neighbours>(round);
  write_gone<Neighbours>(round);
  for (auto& [key, chunk] : round.delta.of<Members>().set) {
    // An interface without our hooks gets no frames.
    for (std::uint32_t& ifindex : chunk.ifindex)
      if (round.failed_interfaces.contains(ifindex)) ifindex = 0;
  }
  write_set<Members>(round);
  write_gone<Members>(round);
  write_set<Peers>(round);
  write_gone<Peers>(round);
}

// Every entry that this round wrote, and those that it removed. What could not be written is told already.
template <class Table>
void EbpfDatapath::verify_table(Round& round) {
  const auto& map = Table::map(objects_->maps());
  const auto& known = known_.of<Table>();
  const Changes<Table>& changes = round.delta.of<Table>();
  const auto bridge_differs = [&](std::uint32_t vni) {
    round.fail_bridge(vni, Error{Code::unavailable, fmt::format("an entry of VNI {} in the BPF map \"{}\" was not as "
                                                                "written when read back",
                                                                vni, Table::name)});
    stale_ = true;
  };
  for (const auto& [key, value] : changes.set) {
    if (!known.holds(key, value)) continue;
    const auto entry = map.get(key);
    if (entry && *entry && same(**entry, value)) continue;
    if constexpr (of_interfaces<Table>) {
      if (!round.failed_interfaces.contains(key.ifindex)) differs(round, Table::name, key.ifindex);
    } else if constexpr (leads_to_interfaces<Table>) {
      for (const std::uint32_t ifindex : interfaces(value, entry && *entry ? &**entry : nullptr)) {
        if (!round.failed_interfaces.contains(ifindex)) differs(round, Table::name, ifindex);
      }
    } else {
      bridge_differs(key.vni);
    }
  }
  for (const auto& key : changes.gone) {
    if (known.contains(key)) continue;
    const auto entry = map.get(key);
    if (!entry || *entry) bridge_differs(key.vni);
  }
}

void EbpfDatapath::differs(Round& round, const std::string& map, std::uint32_t ifindex) {
  round.fail_interface(ifindex, Error{Code::unavailable, fmt::format("the entry of interface {} in the BPF map \"{}\" "
                                                                     "was not there when read back",
                                                                     ifindex, map)});
  stale_ = true;
}

// The hooks were read back when they were attached.
void EbpfDatapath::verify(Round& round) {
  const Maps& maps = objects_->maps();
  for (const auto& [ifindex, port] : round.delta.ports) {
    if (round.failed_interfaces.contains(ifindex)) continue;
    const auto entry = maps.ports.get(ifindex);
    if (!entry || !*entry || !same(**entry, port)) differs(round, "ports", ifindex);
    const auto ring = maps.rings.get(ifindex);
    if (!ring || !*ring) differs(round, "rings", ifindex);
  }
  std::apply([&](const auto&... table) { (verify_table<Declaration<decltype(table)>>(round), ...); },
             known_.of_bridges);
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
