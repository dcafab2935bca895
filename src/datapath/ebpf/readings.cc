// What EbpfDatapath tells of the traffic: counters, drops, and who is where.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
  std::vector<abi::counters> per_cpu(maps.cpus);
  for (const auto& [ifindex, port] : known_.ports) {
    PortCounters counted{.id = id_of(port)};
    if (::bpf_map_lookup_elem(maps.counters.get(), &port.slot, per_cpu.data()) == 0) {
      for (const abi::counters& cpu : per_cpu) {
        counted.rx_packets += cpu.rx_packets;
        counted.rx_bytes += cpu.rx_bytes;
        counted.tx_packets += cpu.tx_packets;
        counted.tx_bytes += cpu.tx_bytes;
      }
    }
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
  for (const auto& [vni, bridge] : known_.bridges) {
    for (const auto& [mac, ifindex] : bridge.fdb) add(vni, mac, ifindex, true);
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
  for (const auto& [vni, bridge] : known_.bridges) {
    const auto number = Vni::from(vni);
    for (const auto& [mac, remote] : bridge.remotes) {
      if (!number || bridge.fdb.contains(mac) || learned_here.contains({vni, mac})) continue;
      all.push_back({.vni = *number, .mac = mac, .port = {}, .configured = remote.configured, .vtep = remote.vtep});
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
  if (const auto bridge = known_.bridges.find(vni); bridge != known_.bridges.end()) {
    if (bridge->second.fdb.contains(mac)) return std::nullopt;
    const auto remote = bridge->second.remotes.find(mac);
    if (remote != bridge->second.remotes.end() && remote->second.configured) return std::nullopt;
  }
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
  std::vector<abi::counters> per_cpu(maps.cpus);
  const std::uint32_t zero = 0;
  if (::bpf_map_lookup_elem(maps.tunnel_counters.get(), &zero, per_cpu.data()) != 0) {
    log::warning("{}", fail_errno(errno, "read the counters of the tunnel").value().message);
    return std::nullopt;
  }
  for (const abi::counters& cpu : per_cpu) {
    counted.rx_packets += cpu.rx_packets;
    counted.rx_bytes += cpu.rx_bytes;
    counted.tx_packets += cpu.tx_packets;
    counted.tx_bytes += cpu.tx_bytes;
  }
  for (std::uint32_t reason = 0; reason < reason_names.size(); reason++) {
    const auto frames = maps.drops.get({.ifindex = known_.tunnel.ifindex, .reason = reason});
    if (frames && *frames) counted.drops.emplace(reason_names[reason], **frames);
  }
  return counted;
}

}  // namespace midonet::datapath
