// From what this host offers on a bridge as it stands in the store, and what it should offer there, to the operations of one
// commit. Pure; offers.h sends them.
//
// Nodes: /hosts/<h>/served_bridges/<b> (the index), /bridges/<b>/hosts/<h> (the host), and below it the chunks. A port
// stays in its chunk for as long as it is offered; a new one goes where there is room, so that a change is one
// chunk of at most 64 ports to write, and to read for each peer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/observe/own_offers.h"
#include "base/uuid.h"
#include "model/offer.h"
#include "store/store.h"

namespace midonet::agent {

struct WantedBridge {
  std::vector<model::OfferedPort> ports;  // ascending by id
  std::set<Uuid> keep;                    // what stands of these stays as it is: nothing is known of them at the moment
  bool operator==(const WantedBridge&) const = default;
};

struct OfferStep {
  std::vector<store::Op> ops;  // empty: nothing to do
  std::size_t bytes = 0;
  std::vector<std::pair<Uuid, store::Revision>> offered;  // ports that are new, or newly bound
  bool more = false;                                      // the commit is full, something is left for the next one
};

struct OfferLimits {
  std::size_t ops = 256;
  std::size_t bytes = 256 * 1024;
};
// A commit with less room than this is not worth beginning.
inline constexpr std::size_t least_offer_ops = 8;

// Changes `own` to what it is after the commit; when that fails, it has to be read anew. Each port that is offered at a new
// binding revision, or whose guest was heard, is fenced by a check that it is still bound here, and each node by its version: an agent that was cut off
// does not resurrect what was detached meanwhile. Without `self` the host offers nothing; without `may_remove` nothing goes.
OfferStep offer_step(const Uuid& host, const Uuid& bridge, OwnBridge& own, const std::optional<model::BridgeHost>& self,
                     const WantedBridge& wanted, bool may_remove, const OfferLimits& limits);

}  // namespace midonet::agent
