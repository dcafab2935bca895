// The chunk of each port that this host offers on a bridge. A port stays in its chunk while it is offered; a new one goes where there is
// room. So a change is one chunk of at most 64 ports to write, and to read for each peer. Pure; offers.h writes the outcome.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "agent/observe/own_offers.h"
#include "base/uuid.h"
#include "model/offer.h"

namespace midonet::agent {

struct WantedBridge {
  std::vector<model::OfferedPort> ports;  // ascending by id
  std::set<Uuid> keep;                    // what stands of these stays as it is: nothing is known of them at the moment
  std::set<Uuid> taken_over;  // likewise: another host has them now, and their guests still run here (ADR 9)
  bool operator==(const WantedBridge&) const = default;
};

// Makes `chunks` hold what is wanted. Returns the numbers of those that are different now; one without ports is to go. Each
// port that is offered at a new binding revision, or whose guest was heard, is unconfirmed from then on. Without `may_remove`
// nothing goes.
std::set<std::int64_t> place(OwnChunks& chunks, const WantedBridge& wanted, bool may_remove);

}  // namespace midonet::agent
