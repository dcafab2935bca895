// Reads one part of what the store says about this host, through a View: a port, a bridge, its peers, the host's own records.
// Functions of the view and of what was read before: records that have not changed since are not parsed again, and what they
// became is carried over. observer.h decides which parts.
//
//   bindings   /hosts/<h>/ports and its value, /tunnel_zones, and per zone <z>/hosts/<h>
//   a port     /hosts/<h>/ports/<p>, /ports/<p>
//   a bridge   /bridges/<b>, with {mac_table,arp_table}/*
//   its peers  /bridges/<b>/hosts and its value, and per other host there <h>, <h>/<n>
//
// The values of /hosts/<h>/ports and /bridges/<b>/hosts hold hints (store/hint.h).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/observe/own_offers.h"
#include "agent/observe/snapshot.h"
#include "base/result.h"
#include "store/store.h"

namespace midonet::agent {

// What a node is to a reader: there, known to be absent, or not known yet (being read, or the store does not answer).
enum class Look { there, absent, unknown };
Look look(const Result<store::NodePtr>& node);

// A binding, and the record of its port. Nothing: the port is not bound, or that is not known yet.
std::optional<BoundPort> read_binding(const Uuid& id, const Result<store::NodePtr>& binding,
                                      const Result<store::NodePtr>& record, const BoundPort* old);
// Fills in what the record of a port says.
void read_port_record(const Result<store::NodePtr>& record, const BoundPort* old, BoundPort& out);

using Damaged = std::map<std::string, std::string>;  // path -> what is wrong

// All but the bridge's peers. `damaged` is what was damaged below the bridge, and becomes what is.
// False: something is still being read.
bool read_bridge(store::View& view, const Uuid& id, const ServedBridge* old, ServedBridge& out, Damaged& damaged);

// Whether this host serves the bridge, as read without a list of those that do, and its record as below.
void find_own(store::View& view, const Uuid& host, const Uuid& id, const OwnOffers* offered, ServedBridge& bridge);

// Fills in the peers. A record of this host that `offered` does not have was made by the commit of a binding.
// False: something is still being read.
bool read_peers(store::View& view, const Uuid& host, const Uuid& id, const OwnOffers* offered, ServedBridge& bridge,
                Damaged& damaged);

// This host's places in tunnel zones. False: something is still being read; what was known of it stays.
bool read_zones(store::View& view, const Uuid& host, std::map<Uuid, Membership>& zones, Damaged& damaged);

}  // namespace midonet::agent
