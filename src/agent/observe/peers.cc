#include "agent/observe/peers.h"

#include <algorithm>
#include <iterator>

namespace midonet::agent {

namespace {

// The last comparison makes the order that of the offers, not of the history by which they came.
bool first(const Peers::Offer& a, const Peers::Offer& b) {
  if (a.port->port_id != b.port->port_id) return a.port->port_id < b.port->port_id;
  if (a.port->before(*b.port) || b.port->before(*a.port)) return a.port->before(*b.port);
  return a.peer->record->vtep < b.peer->record->vtep;
}

void append_offers(const Peer& peer, std::vector<Peers::Offer>& out) {
  if (!peer.record) return;
  for (const auto& [number, chunk] : peer.chunks)
    if (chunk.offers)
      for (const model::OfferedPort& port : chunk.offers->ports) out.push_back({&port, &peer});
}

}  // namespace

Peers::Peers(std::map<Uuid, std::shared_ptr<const Peer>> peers, const Peers* before) : hosts(std::move(peers)) {
  std::vector<Offer> fresh;
  std::vector<const Peer*> kept;
  for (const auto& [host, peer] : hosts) {
    const auto old = before ? before->hosts.find(host) : hosts.end();
    if (before && old != before->hosts.end() && old->second == peer)
      kept.push_back(peer.get());
    else
      append_offers(*peer, fresh);
  }
  std::stable_sort(fresh.begin(), fresh.end(), first);
  std::sort(kept.begin(), kept.end());
  std::vector<Offer> still;
  if (before) {
    still.reserve(before->all.size());
    std::copy_if(before->all.begin(), before->all.end(), std::back_inserter(still),
                 [&](const Offer& offer) { return std::binary_search(kept.begin(), kept.end(), offer.peer); });
  }
  all.reserve(still.size() + fresh.size());
  std::merge(still.begin(), still.end(), fresh.begin(), fresh.end(), std::back_inserter(all), first);
}

const Peers::Offer* Peers::find(const Uuid& port) const {
  const auto at = std::lower_bound(all.begin(), all.end(), port,
                                   [](const Offer& offer, const Uuid& id) { return offer.port->port_id < id; });
  return at != all.end() && at->port->port_id == port ? &*at : nullptr;
}

}  // namespace midonet::agent
