// Live migration (ADR 9), seen from the store: a port is bound at the destination before its guest runs there (docs/plug.md). These
// functions find out from the offers of both hosts where the guest is. Only attach and detach use them; like these, they are plain
// functions of a transaction.
#pragma once

#include <optional>

#include "base/uuid.h"
#include "model/port.h"
#include "store/transaction.h"
#include "topology/lookup.h"

namespace midonet::topology {

// The mark for a bound port that is attached to `host`: the place of its guest now, as far as the store knows. That is the place where
// the port is bound, or, if the guest never came there, the place that the port was taken from. Nothing when that is `host` itself.
Result<std::optional<model::TakenFrom>> origin_of(store::Transaction& t, const Stored<model::Port>& port,
                                                  const Uuid& host);

// The place that an unbind gives the port back to: the port was taken over from there, that host still offers it, its present host
// has not heard the guest, and the interface carries no other port. Guards the records that this rests on.
Result<std::optional<model::TakenFrom>> way_back(store::Transaction& t, const Stored<model::Port>& port);

}  // namespace midonet::topology
