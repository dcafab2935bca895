// What the store says about this host, read through a View: its bindings, their ports, the bridges of those with their
// static tables, its places in tunnel zones, and, where it has one, what other hosts offer on those bridges. Used by the
// agent with a store::Mirror; plan.h makes of it what the host should look like.
//
// What is read grows with what the host serves, never with the cloud:
//   /hosts/<h>/ports                 and per binding  <p>, /ports/<p>
//   /bridges/<b>                     per bridge of those, with {mac_table,arp_table}/*
//   /bridges/<b>/hosts               and per other host there  <h>, <h>/<n>
//   the values of /hosts/<h>/ports and /bridges/<b>/hosts, which hold hints (store/hint.h)
//   /tunnel_zones                    and per zone  <z>/hosts/<h>
//   /ports/<p>                       per port that is not bound here any more and whose guest may still run here (ADR 9)
//
// A plain function of the view and of the snapshot before: records that have not changed since are not parsed again, so
// that one change among ten thousand ports costs ten thousand look-ups and one parse. What is wrong with a record stays
// with the port, bridge or host that it is about. What other hosts offer never holds up what is this host's own: it is there
// as far as it was read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/observe/own_offers.h"
#include "base/ip.h"
#include "base/mac.h"
#include "base/result.h"
#include "base/uuid.h"
#include "model/bridge.h"
#include "model/offer.h"
#include "model/port.h"
#include "store/store.h"

namespace midonet::agent {

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
  // Each port once, ascending by id. Of two hosts that offer it, the one that has its guest comes first, then the one with the higher
  // revision of its binding (of two with equal ones, which the store does not make, the first).
  std::vector<Offer> offers;

  explicit Peers(std::map<Uuid, std::shared_ptr<const Peer>> all = {});
  const Offer* find(const Uuid& port) const;
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
  bool peers_known = false;  // all of them, and what they offer
  bool peers_seen = false;   // peers_known, now or before
  bool self = false;         // this host is among those that serve it
  bool self_known = false;   // that, and the record below where it counts, was read
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
  std::vector<BoundPort> ports;          // ascending by id
  std::vector<LingeringPort> lingering;  // not bound here
  std::map<Uuid, ServedBridge> bridges;
  std::map<Uuid, Membership> zones;
  std::vector<std::string> foreign;  // names below /hosts/<h>/ports that are no ids
  // What is wrong with records of tunnel zones, of tables and of other hosts, a sentence each with its path; what was read of
  // them before stays in force.
  std::map<std::string, std::string> damaged;
  bool complete = false;    // nothing of this host's own is still being read
  bool peers_read = false;  // nor of the others
};

const BoundPort* find_port(const Snapshot& snapshot, const Uuid& id);  // null: not bound here

// `offered` has this host's offers in the store; null while they are being read: then every port of the snapshot before counts as
// offered.
//
// pending, unavailable, not_found (the host is not registered): the list of the bindings itself could not be read.
Result<Snapshot> read_snapshot(store::View& view, const Uuid& host, const Snapshot& before,
                               const OwnOffers* offered = nullptr);

}  // namespace midonet::agent
