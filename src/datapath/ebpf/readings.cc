// EbpfDatapath's readings of the traffic: counters, drops, and the place of each MAC address.
#include <algorithm>
#include <array>
#include <ctime>
#include <set>

#include "base/log.h"
#include "datapath/ebpf/ebpf_datapath.h"

namespace midonet::datapath {
namespace {

constexpr std::array<const char*, abi::drop_reasons> reason_names{
#define X(name, meaning) #name,
    MIDONET_DROP_REASONS(X)
#undef X
};

// The clock of bpf_ktime_get_coarse_ns().
std::uint64_t coarse_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

template <class Counters>
void add(const std::vector<abi::counters>& per_cpu, Counters& to) {
  for (const abi::counters& cpu : per_cpu) {
    to.rx_packets += cpu.rx_packets;
    to.rx_bytes += cpu.rx_bytes;
    to.tx_packets += cpu.tx_packets;
    to.tx_bytes += cpu.tx_bytes;
  }
}

}  // namespace

std::vector<PortCounters> EbpfDatapath::counters() {
  const Maps& maps = objects_->maps();
  std::unordered_map<std::uint32_t, std::map<std::string, std::uint64_t>> drops;
  if (const auto entries = maps.drops.entries(); entries) {
    for (const auto& [key, frames] : *entries) {
      if (key.reason < reason_names.size()) drops[key.ifindex].emplace(reason_names[key.reason], frames);
    }
  } else {
    log::warning("counters: {}", entries.error().message);
  }

  std::vector<PortCounters> all;
  all.reserve(known_.ports.size());
  for (const auto& [ifindex, port] : known_.ports) {
    PortCounters counted{.id = id_of(port)};
    if (const auto per_cpu = maps.counters.get(port.slot, maps.cpus)) add(*per_cpu, counted);
    if (const auto dropped = drops.find(ifindex); dropped != drops.end()) counted.drops = std::move(dropped->second);
    all.push_back(std::move(counted));
  }
  return all;
}

std::vector<FdbEntry> EbpfDatapath::fdb() {
  std::vector<FdbEntry> all;
  const auto add = [&](std::uint32_t vni, const Mac& mac, std::uint32_t ifindex, bool configured) {
    const auto port = known_.ports.find(ifindex);
    const auto number = Vni::from(vni);
    if (port == known_.ports.end() || port->second.vni != vni || !number) return;
    all.push_back({.vni = *number, .mac = mac, .port = id_of(port->second), .configured = configured});
  };
  const auto& fdb = known_.of<Fdb>();
  for (const auto& [vni, entries] : fdb.bridges()) {
    for (const auto& [key, entry] : entries) add(vni, mac_of(key.mac), entry.ifindex, true);
  }
  const auto learned = objects_->maps().learned.entries();
  if (!learned) log::warning("fdb: {}", learned.error().message);
  const std::uint64_t now = coarse_now_ns();
  std::set<std::pair<std::uint32_t, Mac>> learned_here;
  if (learned) {
    for (const auto& [key, entry] : *learned) {
      auto found = learned_entry(key.vni, mac_of(key.mac), entry, now);
      if (!found) continue;
      learned_here.emplace(key.vni, found->mac);
      all.push_back(std::move(*found));
    }
  }
  for (const auto& [vni, entries] : known_.of<Remotes>().bridges()) {
    const auto number = Vni::from(vni);
    for (const auto& [key, remote] : entries) {
      const Mac mac = mac_of(key.mac);
      if (!number || fdb.contains(key) || learned_here.contains({vni, mac})) continue;
      all.push_back({.vni = *number, .mac = mac, .configured = remote.configured != 0, .vtep = ip_of(remote.vtep)});
    }
  }
  return all;
}

// Where frames to a learned MAC go, unless it has aged, its port is gone, or it is configured meanwhile.
std::optional<FdbEntry> EbpfDatapath::learned_entry(std::uint32_t vni, const Mac& mac, const abi::learned_entry& entry,
                                                    std::uint64_t now) const {
  if (now > entry.seen_ns && now - entry.seen_ns > static_cast<std::uint64_t>(ageing_.count())) return std::nullopt;
  const auto number = Vni::from(vni);
  const auto port = known_.ports.find(entry.ifindex);
  if (!number || port == known_.ports.end() || port->second.vni != vni) return std::nullopt;
  const auto key = fdb_key(vni, mac);
  if (known_.of<Fdb>().contains(key)) return std::nullopt;
  const auto& remotes = known_.of<Remotes>().of(vni);
  if (const auto remote = remotes.find(key); remote != remotes.end() && remote->second.configured != 0)
    return std::nullopt;
  return FdbEntry{.vni = *number, .mac = mac, .port = id_of(port->second)};
}

void EbpfDatapath::tell_learned(const std::set<std::pair<std::uint32_t, Mac>>& keys, bool all) {
  if (!learned_) return;
  const std::uint64_t now = coarse_now_ns();
  std::vector<FdbEntry> told;
  const auto add = [&](std::uint32_t vni, const Mac& mac, const abi::learned_entry& entry) {
    if (auto found = learned_entry(vni, mac, entry, now)) told.push_back(std::move(*found));
  };
  if (all) {
    const auto entries = objects_->maps().learned.entries();
    if (!entries) {
      log::warning("learned MACs: {}", entries.error().message);
      return;
    }
    for (const auto& [key, entry] : *entries) add(key.vni, mac_of(key.mac), entry);
  } else {
    for (const auto& [vni, mac] : keys) {
      const auto entry = objects_->maps().learned.get(fdb_key(vni, mac));
      if (entry && *entry) add(vni, mac, **entry);
    }
  }
  if (!told.empty()) learned_(told);
}

std::optional<TunnelCounters> EbpfDatapath::tunnel_counters() {
  const Maps& maps = objects_->maps();
  if (known_.tunnel.wanted == 0) return std::nullopt;
  TunnelCounters counted;
  const auto per_cpu = maps.tunnel_counters.get(0, maps.cpus);
  if (!per_cpu) {
    log::warning("{}", per_cpu.error().message);
    return std::nullopt;
  }
  add(*per_cpu, counted);
  for (std::uint32_t reason = 0; reason < reason_names.size(); reason++) {
    const auto frames = maps.drops.get({.ifindex = known_.tunnel.ifindex, .reason = reason});
    if (frames && *frames) counted.drops.emplace(reason_names[reason], **frames);
  }
  return counted;
}

}  // namespace midonet::datapath
