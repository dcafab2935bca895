// EbpfDatapath and the tunnel: the device, its hook, and the entry that leads frames there. The device and the hook come
// before the entry, the entry goes before them.
#include <cstring>

#include "base/log.h"
#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/round.h"

namespace midonet::datapath {

Status EbpfDatapath::write_tunnel(const abi::tunnel& entry) {
  const auto& map = objects_->maps().tunnel;
  if (std::memcmp(&entry, &known_.tunnel, sizeof entry) == 0) return {};
  if (auto written = map.put(0, entry); !written) return written;
  // Another device counts from zero.
  if (known_.tunnel.ifindex != 0 && known_.tunnel.ifindex != entry.ifindex) forget_counts(known_.tunnel.ifindex);
  known_.tunnel = entry;
  const auto back = map.get(0);
  if (!back) return failed(back);
  if (!*back || std::memcmp(&**back, &entry, sizeof entry) != 0) {
    stale_ = true;
    return fail(Code::unavailable, "the tunnel's entry was not there when read back");
  }
  return {};
}

Status EbpfDatapath::write_sources(const TunnelSpec& wanted) {
  const Maps& maps = objects_->maps();
  const std::array<std::optional<Ip>, 2> sources{wanted.source_v4, wanted.source_v6};
  for (std::uint32_t family = 0; family < sources.size(); family++) {
    if (known_.sources[family] == sources[family]) continue;
    if (auto written = maps.sources.put(family, vtep_of(sources[family])); !written) return written;
    known_.sources[family] = sources[family];
  }
  for (const auto& [peer, source] : wanted.sources) {
    const auto known = known_.peer_sources.find(peer);
    if (known != known_.peer_sources.end() && known->second == source) continue;
    if (auto written = maps.peer_sources.put(vtep_of(peer), vtep_of(source)); !written) return written;
    known_.peer_sources.insert_or_assign(peer, source);
  }
  for (auto known = known_.peer_sources.begin(); known != known_.peer_sources.end();) {
    if (wanted.sources.contains(known->first)) {
      ++known;
      continue;
    }
    if (auto removed = maps.peer_sources.remove(vtep_of(known->first)); !removed) return removed;
    known = known_.peer_sources.erase(known);
  }
  return {};
}

abi::tunnel EbpfDatapath::tunnel_entry(const TunnelSpec& wanted, std::uint32_t ifindex) const {
  return {.wanted = 1,
          .ifindex = ifindex,
          .mtu = wanted.mtu,
          .flags = wanted.sources.empty() ? 0U : std::uint32_t{MIDONET_MANY_SOURCES}};
}

void EbpfDatapath::prepare_tunnel(Round& round, bool everything) {
  const auto& wanted = round.desired.tunnel;
  const bool changed = everything || !tunnel_settled_ || round.tunnel_changed;
  if (!changed) return;
  tunnel_settled_ = false;
  if (!wanted) {
    tunnel_status_ = {};
    if (round.sweep == Sweep::yes) withdraw_tunnel(round);
    return;
  }
  auto device = device_->ensure(wanted->mtu);
  // Before the program that looks at them is hooked.
  if (const auto written = write_addresses(wanted, round.sweep); device && !written) device = failed(written);
  if (device) {
    round.tunnel_device = *device;
    return;
  }
  tunnel_status_ = failed(device);
  // A failure to look has no known meaning: a device that worked goes on. Otherwise frames are counted as dropped here.
  const Code code = device.error().code;
  const bool lost = code == Code::conflict || code == Code::not_found || code == Code::invalid;
  const std::uint32_t ifindex = lost ? 0 : known_.tunnel.ifindex;
  if (auto written = write_tunnel(tunnel_entry(*wanted, ifindex)); !written) round.errors.push_back(written.error());
}

void EbpfDatapath::finish_tunnel(Round& round) {
  if (!round.tunnel_device) return;
  const std::uint32_t ifindex = *round.tunnel_device;
  tunnel_status_ = hook_tunnel(ifindex);
  if (tunnel_status_) tunnel_status_ = write_sources(*round.desired.tunnel);
  const bool ready = tunnel_status_.has_value();
  const auto written = write_tunnel(tunnel_entry(*round.desired.tunnel, ready ? ifindex : 0));
  if (ready) tunnel_status_ = written;
  tunnel_settled_ = tunnel_status_.has_value();
}

Status EbpfDatapath::hook_tunnel(std::uint32_t ifindex) {
  const auto standing = tunnel_hooks_.look(ifindex);
  if (!standing) return failed(standing);
  tunnel_preceded_ = !standing->before.empty();
  if (tunnel_preceded_)
    log::warning("tunnel device {}: {} runs before the datapath's", device_->name(), standing->before);
  if (standing->complete) return {};
  if (const auto prepared = tunnel_hooks_.prepare(ifindex, true); !prepared) return failed(prepared);
  if (auto attached = tunnel_hooks_.attach(ifindex, Hook::ingress); !attached) return attached;
  const auto back = tunnel_hooks_.look(ifindex);
  if (!back) return failed(back);
  if (!back->complete)
    return fail(Code::unavailable, "tunnel device {}: its hook was not there when read back", device_->name());
  return tunnel_hooks_.finish(ifindex);
}

void EbpfDatapath::withdraw_tunnel(Round& round) {
  auto done = write_tunnel({});
  if (done) done = device_->remove();
  if (done) done = write_addresses(std::nullopt, round.sweep);
  tunnel_settled_ = done.has_value();
  if (!done) round.errors.push_back(done.error());
}

}  // namespace midonet::datapath
