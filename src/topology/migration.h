// Live migration (ADR 9), seen from the store: a port is bound at the destination before its guest runs there (contract: plug). These
// tell by what the two hosts offer where the guest is. Used by attach and detach alone; as they, plain functions of a
// transaction.
#pragma once

#include <optional>

#include "base/uuid.h"
#include "model/port.h"
#include "store/transaction.h"
#include "topology/lookup.h"

namespace midonet::topology {

// What a bound port is to be marked with when it is attached to `host`: where its guest is now, as far as the store knows. That
// is where it is bound, or, when it never came there, where it had been taken from. Nothing when that is `host` itself.
Result<std::optional<model::TakenFrom>> origin_of(store::Transaction& t, const Stored<model::Port>& port,
                                                  const Uuid& host);

// Where an unbind gives the port back to: it was taken over from there, that host still offers it, the one that has it now does
// not offer it as its guest's place, and the interface carries nothing else. Guards what that rests on.
Result<std::optional<model::TakenFrom>> way_back(store::Transaction& t, const Stored<model::Port>& port);

}  // namespace midonet::topology
