// Which MAC address ARP requests for an IP address are answered with: what is set by hand on the bridge, then the fixed
// addresses of the ports that are plugged, here and on other hosts. Pure; agent/plan asks, agent/offering tells others.
// Why these and no others: docs/adr/0010.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "model/offer.h"
#include "model/port.h"
#include "store/store.h"

namespace midonet::agent {

// The addresses that a port, once it is plugged, is known to have: of one station each, ascending. None while it forwards
// nothing, or has no configured MAC address: it is at that address that they are.
std::vector<Ip> known_addresses(const model::Port& port);
// What a port is known by to other hosts is bounded: 64 ports of 1,000 addresses would not fit into one node of a store.
inline constexpr std::size_t most_known_addresses = 64;

// That an address is a port's.
struct Neighbour {
  Ip ip;
  Mac mac;
  Uuid port;
  bool active = true;             // a port that is down declares the address and is not answered for
  std::optional<Uuid> host = {};  // nothing: this one
};

// The same, as another host offers it. Nothing when it does not say clearly at which MAC address.
void append_neighbours(const model::OfferedPort& offered, const Uuid& host, std::vector<Neighbour>& out);

// Two ports that declare one address, with different MAC addresses; `port` is one of this host.
struct NeighbourConflict {
  Uuid port;
  Neighbour other;
};

// Adds to what is there already, which stays. An address that active ports have at different MAC addresses is left out, so
// that requests for it are flooded, and the guest that has it answers. IPv6 addresses, for which no neighbour discovery
// is answered, are left out.
std::vector<NeighbourConflict> settle_neighbours(std::vector<Neighbour> claims, std::map<Ip, Mac>& neighbours);

}  // namespace midonet::agent
