// The network that carries the tunnel, as this host sees it: the routes to the other hosts, how large a packet may be on the
// way there, and the interfaces that the host itself lives by. Pure functions; used by agent/plan.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/observe/snapshot.h"
#include "agent/plan/overlay.h"
#include "base/ip.h"
#include "datapath/datapath.h"
#include "model/offer.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace midonet::agent {

// The other hosts that serve a bridge with this one, by the destination address of packets. Each has the source address of packets:
// this host's address in the zone where the peer is reached, as long as an interface has it. Nothing: the kernel chooses.
using PeerAddresses = std::map<Ip, std::optional<Ip>>;
PeerAddresses peers_of(const Snapshot& snapshot, const std::optional<Overlay>& overlay, const OverlayOptions& options);

// All of it: what every bridge of this host has to do with.
struct Underlay {
  std::optional<Overlay> overlay;  // none: the host is in no tunnel zone
  PeerAddresses peers;
  std::map<std::uint32_t, std::string> uplinks;
  std::vector<std::string> warnings;  // a sentence each
  bool operator==(const Underlay&) const = default;
};
// `routes` answers for the destinations of the peers.
Underlay underlay_of(const Snapshot& snapshot, const netlink::LinkTable& links, const OverlayOptions& options,
                     const std::function<const netlink::RouteTable&(const PeerAddresses& peers)>& routes);

// What the kernel is to be asked for: the ways to those hosts, to the store's servers, and to everywhere.
std::set<netlink::Destination> destinations(const PeerAddresses& peers, const OverlayOptions& options);

// Lowers overlay.mtu to the MTU that fits on the paths to all peers, unless the options set it.
void fit_paths(Overlay& overlay, const PeerAddresses& peers, const netlink::RouteTable& routes,
               const netlink::LinkTable& links, const OverlayOptions& options);

// The interfaces that must never be plugged, by ifindex, with the reason, to follow the interface's name: «carries the
// default route». They are the tunnel device, the interfaces with a tunnel address, those that lead to the other hosts, to
// the store's servers and to everywhere, and whatever stands above or below one of them.
std::map<std::uint32_t, std::string> uplinks(const netlink::LinkTable& links, const std::optional<Overlay>& overlay,
                                             const PeerAddresses& peers, const netlink::RouteTable& routes,
                                             const OverlayOptions& options);

// Why an interface cannot be plugged; empty when it can. `uplinks` as above.
std::string obstacle(const netlink::Link& link, const netlink::LinkTable& links,
                     const std::map<std::uint32_t, std::string>& uplinks);

// Says what outer packets are from: one address a family, and another one for some peers.
void set_sources(datapath::TunnelSpec& tunnel, const Overlay& overlay, const PeerAddresses& peers);
// The peers to which a kernel that takes no source from us sends with another address, a sentence each.
std::vector<std::string> foreign_sources(const PeerAddresses& peers, const netlink::RouteTable& routes,
                                         const OverlayOptions& options);

}  // namespace midonet::agent
