#include "datapath/fake_datapath.h"

#include <algorithm>
#include <utility>

namespace midonet::datapath {

Applied FakeDatapath::apply(const Desired& desired, Sweep sweep) { return apply(desired, sweep, nullptr); }

Applied FakeDatapath::apply_bridges(const Desired& desired, const std::set<Vni>& bridges, Sweep sweep) {
  Desired whole = desired;
  for (const auto& [vni, bridge] : desired_.bridges)
    if (!bridges.contains(vni)) whole.bridges.emplace(vni, bridge);
  for (const auto& [id, port] : desired_.ports)
    if (!bridges.contains(port.vni)) whole.ports.emplace(id, port);
  return apply(whole, sweep, &bridges);
}

Applied FakeDatapath::apply(const Desired& desired, Sweep sweep, const std::set<Vni>* bridges) {
  desired_ = desired;
  if (remembers_calls_) calls_.push_back({desired, sweep});
  const auto in_scope = [&](Vni vni) { return !bridges || bridges->contains(vni); };
  Applied applied;
  applied.errors = std::exchange(general_failures_, {});
  for (const auto& [vni, bridge] : desired.bridges) {
    if (!in_scope(vni) && sweep == Sweep::no) continue;
    BridgeSpec& in_kernel = plugged_.bridges[vni];
    const BridgeSpec before = std::exchange(in_kernel, bridge);
    if (sweep == Sweep::yes) continue;
    in_kernel.peers.insert(before.peers.begin(), before.peers.end());
    in_kernel.remote_macs.insert(before.remote_macs.begin(), before.remote_macs.end());
  }
  if (tunnel_failure_ && desired.tunnel)
    applied.tunnel = failed(*tunnel_failure_);
  else if (desired.tunnel || sweep == Sweep::yes)
    plugged_.tunnel = desired.tunnel;
  for (const auto& [id, spec] : desired.ports) {
    if (!in_scope(spec.vni)) continue;
    // One interface carries one port: whatever else had this ifindex is replaced, also without a sweep.
    std::erase_if(plugged_.ports, [&id = id, &spec = spec](const auto& other) {
      return other.first != id && other.second.ifindex == spec.ifindex;
    });
    applied.ports.emplace(id, apply_port(spec));
    if (const auto before = preceded_.find(id); before != preceded_.end()) applied.preceded.insert(*before);
  }
  std::erase_if(plugged_.ports, [&](const auto& port) {
    if (desired.ports.contains(port.first) || !desired.banned.contains(port.second.ifindex)) return false;
    touched_.push_back(port.first);
    return true;
  });
  for (const std::uint32_t ifindex : desired.banned) closed_.erase(ifindex);
  if (sweep == Sweep::yes) {
    std::erase_if(plugged_.ports, [&](const auto& port) {
      if (desired.ports.contains(port.first) || desired.held.contains(port.first)) return false;
      touched_.push_back(port.first);
      return true;
    });
    std::set<Vni> held;
    for (const auto& [id, spec] : plugged_.ports)
      if (!desired.ports.contains(id)) held.insert(spec.vni);
    std::erase_if(plugged_.bridges, [&](const auto& bridge) {
      return !desired.bridges.contains(bridge.first) && !held.contains(bridge.first);
    });
    std::erase_if(learned_, [&](const FdbEntry& entry) { return !plugged_.ports.contains(entry.port); });
  }
  return applied;
}

bool FakeDatapath::plugged(std::uint32_t ifindex) {
  return std::any_of(plugged_.ports.begin(), plugged_.ports.end(),
                     [&](const auto& port) { return port.second.ifindex == ifindex; });
}

Status FakeDatapath::apply_port(const PortSpec& spec) {
  if (const auto failure = failures_.find(spec.id); failure != failures_.end()) {
    const Error error = failure->second.error;
    if (--failure->second.times <= 0) failures_.erase(failure);
    return failed(error);
  }
  if (!plugged_.bridges.contains(spec.vni))
    return fail(Code::invalid, "plug {}: there is no bridge with VNI {}", spec.interface, spec.vni);
  if (spec.ifindex == 0) return fail(Code::invalid, "plug {}: 0 is not an ifindex", spec.interface);
  const auto [port, added] = plugged_.ports.try_emplace(spec.id, spec);
  if (added || port->second != spec) touched_.push_back(spec.id);
  port->second = spec;
  return {};
}

std::vector<PortCounters> FakeDatapath::counters() {
  std::vector<PortCounters> all;
  for (const auto& [id, spec] : plugged_.ports) {
    const auto counted = counters_.find(id);
    all.push_back(counted != counters_.end() ? counted->second : PortCounters{.id = id});
  }
  return all;
}

std::vector<FdbEntry> FakeDatapath::fdb() {
  std::vector<FdbEntry> entries;
  for (const auto& [id, spec] : plugged_.ports) {
    if (spec.mac) entries.push_back({spec.vni, *spec.mac, id, true});
  }
  for (const auto& [vni, bridge] : plugged_.bridges) {
    for (const auto& [mac, port] : bridge.static_macs) {
      if (plugged_.ports.contains(port)) entries.push_back({vni, mac, port, true});
    }
  }
  for (const FdbEntry& entry : learned_) {
    if (plugged_.ports.contains(entry.port)) entries.push_back(entry);
  }
  return entries;
}

Status FakeDatapath::remove_everything() {
  plugged_ = {};
  return {};
}

void FakeDatapath::fail_next(const Uuid& port, Error error, int times) {
  failures_[port] = Failure{std::move(error), times};
}

void FakeDatapath::lose(const Uuid& port, const std::string& what) {
  plugged_.ports.erase(port);
  if (drifted_) drifted_(what);
}

}  // namespace midonet::datapath
