#include "agent/remote.h"

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
  if (a.configured != b.configured) return a.configured;
  if (a.rank != b.rank) return a.rank > b.rank;
  return std::tie(a.host_vtep, a.port) < std::tie(b.host_vtep, b.port);
}

}  // namespace

RemoteBridge remote_bridge(const Peers& peers, const model::BridgeHost& self, TunnelFamily family,
                           const std::function<std::optional<model::OfferedPort>(const Uuid& port)>& own) {
  RemoteBridge out;
  std::unordered_map<const Peer*, Ip> reached;
  for (const auto& [host, peer] : peers.hosts) {
    if (!peer->record) continue;
    out.sources.insert(peer->record->vtep);
    for (const auto& [zone, address] : peer->record->zones) out.sources.insert(address);
    const auto ip = address_of(*peer->record, self, family);
    if (!ip || is_own(*ip, self)) continue;
    out.peers.insert(*ip);
    reached.emplace(peer.get(), *ip);
  }

  out.macs.reserve(peers.offers.size());
  out.ports.reserve(peers.offers.size());
  for (const Peers::Offer& offer : peers.offers) {
    const auto at = reached.find(offer.peer);
    if (at == reached.end()) continue;
    if (const auto here = own(offer.port->port_id); here && here->before(*offer.port)) continue;
    out.ports.emplace(offer.port->port_id, at->second);
    append_neighbours(*offer.port, out.neighbours);
    for (const Mac& mac : offer.port->macs) {
      if (mac.is_multicast() || mac.is_zero()) continue;
      const auto learned = offer.port->learned.find(mac);
      const bool configured = learned == offer.port->learned.end();
      out.macs.push_back({mac, configured, configured ? offer.port->revision : learned->second,
                          offer.peer->record->vtep, at->second, offer.port->port_id});
    }
  }
  std::sort(out.macs.begin(), out.macs.end(), [](const RemoteBridge::Claim& a, const RemoteBridge::Claim& b) {
    return a.mac != b.mac ? a.mac < b.mac : better(a, b);
  });
  const auto same = [](const RemoteBridge::Claim& a, const RemoteBridge::Claim& b) { return a.mac == b.mac; };
  out.macs.erase(std::unique(out.macs.begin(), out.macs.end(), same), out.macs.end());
  return out;
}

}  // namespace midonet::agent
