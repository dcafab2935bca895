// What the store says about this host: its bindings, their ports, the bridges of those with their static tables, and its places
// in tunnel zones. If it has one, also what other hosts offer on those bridges. observer.h keeps it; plan.h makes of it what the
// host should look like.
//
// What is wrong with a record stays with the port, bridge or host that it is about. What other hosts offer never holds up what is
// this host's own: it is there as far as it was read. Values only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/observe/peers.h"
#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "model/bridge.h"
#include "model/port.h"
#include "store/store.h"

namespace midonet::agent {

// How much is known of something that is read in pieces. What was read completely once is `partial` while a piece is being read.
enum class Known { unread, partial, complete };

struct BoundPort {
  Uuid id;
  store::Revision revision = 0;  // of the binding
  std::string interface;         // as last read well; empty: never
  std::string damage;            // why the binding cannot be read; empty when it can

  bool port_known = false;  // the port's record was looked up, and is there or not; else it is still being read
  store::Revision port_revision = 0;
  std::shared_ptr<const model::Port> port;     // as last read well; null: there is none, or it was never read well
  std::string port_damage;                     // why the record cannot be read; empty when it can
  std::optional<model::TakenFrom> taken_from;  // by the port's record
};

// A port that was bound here and that this host still offers: another host has taken it over, and its guest may still run here.
struct LingeringPort : BoundPort {  // `revision` and `interface` are those of the binding that it had
  Uuid bridge;
  // The record says that it is bound here, and there is no binding: read from both sides of one commit, most likely.
  bool doubtful = false;
};

struct ServedBridge {
  bool known = false;  // as port_known; false also while its tables are being read
  store::Revision created = 0;
  store::Revision revision = 0;
  std::optional<model::Bridge> record;  // as last read well; none: it does not exist, or it was never read well
  std::string damage;                   // why it cannot be read; empty when it can
  struct MacTarget {
    store::Revision revision = 0;
    Uuid port;
  };
  struct Neighbour {
    store::Revision revision = 0;
    Mac mac;
  };
  // By the entry's name in the store, which is the MAC or the IP as text, as last read well. Without a value: damaged from
  // the first.
  std::map<std::string, std::optional<MacTarget>> mac_table;
  std::map<std::string, std::optional<Neighbour>> arp_table;
  // The other hosts that serve the bridge, as far as they were read; never null, and the same object until one is different.
  std::shared_ptr<const Peers> peers = std::make_shared<const Peers>();
  Known peers_known = Known::unread;  // with what they offer; `unread` until that was complete once
  bool self = false;                  // this host is among those that serve it
  bool self_known = false;            // that, and the record below where it counts, was read
  // The record of this host there, where the host's own word (`offered`) has none: the commit of a binding made it.
  store::NodePtr found{};
};

// This host's place in a tunnel zone.
struct Membership {
  store::Revision revision = 0;
  std::optional<Ip> address;  // as last read well
};

struct Snapshot {
  Uuid host;
  std::map<Uuid, BoundPort> ports;
  std::map<Uuid, LingeringPort> lingering;  // not bound here
  std::map<Uuid, ServedBridge> bridges;
  std::map<Uuid, Membership> zones;
  std::vector<std::string> foreign;  // names below /hosts/<h>/ports that are no ids
  // What is wrong with records of tunnel zones, of tables and of other hosts, a sentence each with its path; what was read of
  // them before stays in force.
  std::map<std::string, std::string> damaged;
  Known own = Known::unread;     // the host's bindings and all that belongs to them; `unread` until their list was read
  Known others = Known::unread;  // the other hosts

  bool own_known() const { return own == Known::complete; }
  bool all_known() const { return own_known() && others == Known::complete; }
};

inline const BoundPort* find_port(const Snapshot& snapshot, const Uuid& id) {  // null: not bound here
  const auto at = snapshot.ports.find(id);
  return at == snapshot.ports.end() ? nullptr : &at->second;
}

}  // namespace midonet::agent
