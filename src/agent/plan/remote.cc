#include "agent/plan/remote.h"

#include <algorithm>
#include <tuple>

namespace midonet::agent {

namespace {

bool is_own(const Ip& ip, const model::BridgeHost& self) {
  if (ip == self.vtep) return true;
  return std::any_of(self.zones.begin(), self.zones.end(), [&](const auto& zone) { return zone.second == ip; });
}

// Whether `a` is the better claim of two for one MAC.
bool better(const RemoteBridge::Claim& a, const RemoteBridge::Claim& b) {
  if (a.moves != b.moves) return a.moves > b.moves;
  return std::tie(a.host_vtep, a.port) < std::tie(b.host_vtep, b.port);
}

}  // namespace

RemoteBridge remote_bridge(const Peers& peers, const model::BridgeHost& self, TunnelFamily family,
                           const std::function<std::optional<model::OfferedPort>(const Uuid& port)>& own) {
  RemoteBridge out;
  struct Reached {
    Ip ip;
    Uuid host;
  };
  std::unordered_map<const Peer*, Reached> reached;
  for (const auto& [host, peer] : peers.hosts) {
    if (!peer->record) continue;
    out.sources.insert(peer->record->vtep);
    for (const auto& [zone, address] : peer->record->zones) out.sources.insert(address);
    const auto ip = address_of(*peer->record, self, family);
    if (!ip || is_own(*ip, self)) continue;
    out.peers.insert(*ip);
    reached.emplace(peer.get(), Reached{*ip, host});
  }

  out.declared.reserve(peers.all.size());
  out.ports.reserve(peers.all.size());
  peers.each_offer([&](const Peers::Offer& offer) {
    const auto at = reached.find(offer.peer);
    if (at == reached.end()) return;
    const auto& [vtep, host] = at->second;
    const model::OfferedPort& port = *offer.port;
    if (const auto here = own(port.port_id); here && here->before(port)) return;
    out.ports.emplace(port.port_id, vtep);
    append_neighbours(port, host, out.neighbours);
    for (const Mac& mac : port.macs) {
      if (mac.is_multicast() || mac.is_zero()) continue;
      if (const auto learned = port.learned.find(mac); learned != port.learned.end())
        out.learned.push_back({mac, learned->second, offer.peer->record->vtep, vtep, port.port_id});
      else if (mac != port.declared)
        out.declared.push_back({mac, port.port_id, host, port.revision, vtep, !port.down, false});
    }
    if (const auto& mac = port.declared; mac && !mac->is_multicast() && !mac->is_zero())
      out.declared.push_back({*mac, port.port_id, host, port.revision, vtep, !port.down, port.learned.contains(*mac)});
  });
  std::sort(out.learned.begin(), out.learned.end(), [](const RemoteBridge::Claim& a, const RemoteBridge::Claim& b) {
    return a.mac != b.mac ? a.mac < b.mac : better(a, b);
  });
  const auto same = [](const RemoteBridge::Claim& a, const RemoteBridge::Claim& b) { return a.mac == b.mac; };
  out.learned.erase(std::unique(out.learned.begin(), out.learned.end(), same), out.learned.end());
  return out;
}

}  // namespace midonet::agent
