// The verbs of plugging, with their rules (contracts: REST section 1, plug). Each is a plain function of a transaction: it
// reads, decides and stages one commit. Used by the REST API, the agent's socket and mm-ctl alike.
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
  bool changed = false;  // false: it was attached exactly so already, nothing was written
};

// invalid (interface name), not_found (port, host), conflict (port or interface taken: names the holder).
Result<Attached> attach(store::Transaction& t, const AttachRequest& request);

// Of a host whose agent is dead or cut off, the records say at once what is so, and its kernel goes on as it was; so does
// what it offered on the bridge, which its agent alone writes. That is harmless, because frames that are sent there end there:
//   * The port was moved. Its new binding has a higher revision, and as soon as the new host has heard the guest and says so,
//     every reader prefers its offer; until then frames go to where the guest still is (ADR 9).
//   * It was detached or deleted. Peers go on sending to the old host what is for its addresses, and to no other host; a port that
//     gets one of these addresses later has a higher revision and wins at every reader.
// The agent takes the offer back when it returns; deleting the host or the bridge takes it along too. No other program may: a host
// that only lost its session still forwards, and would write over what was taken from it.
//
// Success when the port is not attached. With `only_host`, a port that is bound on another host is left alone (mm-ctl), and one
// whose guest still runs where the port was taken over from is bound there again: so Nova rolls a live migration back.
// not_found only when the port does not exist and `only_host` is not given.
struct Detached {
  bool changed = false;
  std::optional<model::TakenFrom> given_back{};  // to this host and interface
};
Result<Detached> detach(store::Transaction& t, const Uuid& port_id, std::optional<Uuid> only_host = {});

// The stricter rules of the MidoNet 5 face, which has no move and where a second time is a conflict (REST contract, section
// 3, HostInterfacePort). In this order: not_found (host), conflict (no tunnel zone), not_found (port), conflict (the port
// is bound, the interface is taken).
Status bind_unbound(store::Transaction& t, const Uuid& host_id, const model::Binding& binding,
                    bool require_tunnel_zone);

// A part of detach, move and the deletion of ports and bridges: stages the removal of the records of where the port is bound
// (the binding and the interface's index node). The port's own record is the caller's.
Status unbind(store::Transaction& t, const model::Port& port);

}  // namespace midonet::topology
