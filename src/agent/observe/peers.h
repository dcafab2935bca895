// The other hosts that serve a bridge, and what they offer there. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/uuid.h"
#include "model/offer.h"
#include "store/store.h"

namespace midonet::agent {

// Another host that serves a bridge, with what it offers there. Immutable, and the same object for as long as nothing of it
// has changed in the store.
struct Peer {
  struct Chunk {
    store::Revision revision = 0;                     // 0: not read yet
    std::shared_ptr<const model::OfferChunk> offers;  // null: there is none
    bool operator==(const Chunk&) const = default;
  };
  store::Revision revision = 0;                     // 0: not read yet
  std::shared_ptr<const model::BridgeHost> record;  // null: there is none
  std::map<std::int64_t, Chunk> chunks;
  bool operator==(const Peer&) const = default;
};

// All others that serve a bridge. As immutable as each of them.
struct Peers {
  struct Offer {
    const model::OfferedPort* port;
    const Peer* peer;  // has a record
  };
  std::map<Uuid, std::shared_ptr<const Peer>> hosts;
  // Ascending by the port's id. Of several hosts that offer one port, first the one that has its guest, then the one with the
  // higher revision of its binding (and of two that are equal, which the store does not make, the first).
  std::vector<Offer> all;

  // `before` spares the work on the hosts that are the same there.
  explicit Peers(std::map<Uuid, std::shared_ptr<const Peer>> peers = {}, const Peers* before = nullptr);
  // The first offer of the port; null: there is none.
  const Offer* find(const Uuid& port) const;
  // each(offer) for the first one of each port.
  template <class Each>
  void each_offer(Each each) const {
    const Uuid* last = nullptr;
    for (const Offer& offer : all) {
      if (last && *last == offer.port->port_id) continue;
      last = &offer.port->port_id;
      each(offer);
    }
  }
};

}  // namespace midonet::agent
