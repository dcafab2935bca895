// The verbs of plugging, with their rules (docs/plug.md, docs/rest.md). Each is a plain function of a transaction: it reads, decides and
// stages one commit. The REST API, the agent's socket and mm-ctl use the same functions.
//
//   store::transact<Attached>(store, [=](store::Transaction& t) { return attach(t, request); }, done);
#pragma once

#include <optional>
#include <string>

#include "base/uuid.h"
#include "model/binding.h"
#include "model/port.h"
#include "store/transaction.h"

namespace midonet::topology {

enum class Takeover {
  refuse,  // REST: a port that is bound elsewhere is a conflict, which names where
  allow,  // mm-ctl: the port moves here, from another host (live migration binds at the destination first) or interface
};

struct AttachRequest {
  Uuid port_id;
  Uuid host_id;
  std::string interface_name;
  std::optional<Uuid> previous_host_id{};  // move, if it is bound there; else conflict
  Takeover takeover = Takeover::refuse;
};

struct Attached {
  bool changed = false;  // false: the binding was there already, nothing was written
};

// invalid (interface name), not_found (port, host), conflict (port or interface taken: names the holder).
Result<Attached> attach(store::Transaction& t, const AttachRequest& request);

// If the agent of the port's host is dead or cut off, the records change at once, while the host's kernel stays as it was. So do its
// offers on the bridge, which only its own agent writes. That is harmless, because frames that are sent there end there:
//   * The port was moved. Its new binding has a higher revision. As soon as the new host has heard the guest and offers it so, every
//     reader prefers that offer; until then frames go to the host where the guest still is (ADR 9).
//   * The port was detached or deleted. Peers go on sending frames for its addresses to the old host. A port that gets one of these
//     addresses later has a higher revision and wins at every reader.
// The agent takes its offer back when it returns; deleting the host or the bridge removes the offer, too. No other program may remove
// it: a host that only lost its session still forwards, and would write the offer again.
//
// Success when the port is not attached. With `only_host` (mm-ctl), a port that is bound on another host is left alone. A port whose
// guest still runs at the host that it was taken over from is bound there again: so Nova rolls a live migration back. not_found only
// when the port does not exist and `only_host` is not given.
struct Detached {
  bool changed = false;
  std::optional<model::TakenFrom> given_back{};  // to this host and interface
};
Result<Detached> detach(store::Transaction& t, const Uuid& port_id, std::optional<Uuid> only_host = {});

// The stricter rules of POST /hosts/<h>/ports, which has no move and refuses a repeated bind. In this order: not_found (host),
// conflict (no tunnel zone), not_found (port), conflict (the port is bound, the interface is taken).
Status bind_unbound(store::Transaction& t, const Uuid& host_id, const model::Binding& binding,
                    bool require_tunnel_zone);

// A part of detach, move and the deletion of ports and bridges: stages the removal of the binding and of the interface's index node.
// The caller writes the port's own record.
Status unbind(store::Transaction& t, const model::Port& port);

}  // namespace midonet::topology
