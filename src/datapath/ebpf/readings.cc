// What EbpfDatapath tells of the traffic: counters, drops, and who is where.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <ctime>

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
  std::vector<abi::counters> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
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
  if (!learned) {
    log::warning("fdb: {}", learned.error().message);
    return all;
  }
  const std::uint64_t now = coarse_now_ns();
  for (const auto& [key, entry] : *learned) {
    if (now > entry.seen_ns && now - entry.seen_ns > static_cast<std::uint64_t>(ageing_.count())) continue;
    const Mac mac = mac_of(key.mac);
    const auto bridge = known_.bridges.find(key.vni);
    if (bridge != known_.bridges.end() && bridge->second.fdb.contains(mac)) continue;  // configured since
    add(key.vni, mac, entry.ifindex, false);
  }
  return all;
}

}  // namespace midonet::datapath
