// Which MAC address ARP requests for an IP address are answered with: what is set by hand on the bridge, then the fixed
// addresses of the ports that are plugged, here and on other hosts. Pure; agent/plan asks, agent/offering tells others.
// Why these and no others: docs/adr/0010.
#pragma once

#include <cstddef>
#include <map>
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
  store::Revision revision = 0;  // of the port's binding
  Uuid port;
};

// The same, as another host offers it. Nothing when it does not say clearly at which MAC address.
void append_neighbours(const model::OfferedPort& offered, std::vector<Neighbour>& out);

// Adds to what is there already, which stays. Of several ports with one address the one bound last has it. IPv6 addresses,
// for which no neighbour discovery is answered, are left out.
void settle_neighbours(std::vector<Neighbour> claims, std::map<Ip, Mac>& neighbours);

}  // namespace midonet::agent
