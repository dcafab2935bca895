// The part of this host in the overlay: which of its addresses in tunnel zones its peers send to, how large a packet may be
// that goes through the tunnel, and at which address a peer is reached. Pure functions; used by agent/plan and agent/offers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/uuid.h"
#include "model/offer.h"
#include "netlink/link.h"

namespace midonet::agent {

// Which addresses of tunnel zones are usable as ends of a tunnel.
enum class TunnelFamily { any, ipv4, ipv6 };
Result<TunnelFamily> parse_tunnel_family(std::string_view text);  // "any", "ipv4", "ipv6"; else invalid

struct OverlayOptions {
  TunnelFamily family = TunnelFamily::any;
  std::uint32_t mtu = 0;    // the largest IP packet that fits into the tunnel; 0: computed from the underlay
  std::string device{};     // the name of the tunnel device
  std::vector<Ip> store{};  // the addresses of its servers
  // Whether the kernel takes the source address of a tunnel packet from its program (6.0); else the route decides.
  bool sets_source = true;
};

// What a VXLAN packet has around the inner IP packet (RFC 7348 section 5): the inner Ethernet header, VXLAN, UDP, outer IP.
inline constexpr std::uint32_t overhead_ipv4 = 14 + 8 + 8 + 20;
inline constexpr std::uint32_t overhead_ipv6 = 14 + 8 + 8 + 40;

struct Overlay {
  // What the host tells its peers: its usable address in each zone, and the one of the lowest zone for everybody else.
  model::BridgeHost self;
  std::uint32_t mtu = 0;
  bool guessed = false;  // the MTU: no interface that packets pass has one of the addresses. That of Ethernet, then
  // False: no interface of this host has the address `self.vtep`, so nothing that peers send arrives.
  bool carried = false;
  std::string link;               // which has it; with several, the first by name
  std::uint32_t link_mtu = 0;     // of that one
  std::set<Ip> present;           // the addresses of `self` that an interface has
  std::optional<Ip> narrowest{};  // the peer that the MTU is due to, where it is less than that of the links
  bool operator==(const Overlay&) const = default;
};

// What is left of a packet of this size for the inner IP packet, in a tunnel to this address; never less than an IPv4 host
// must take.
std::uint32_t inner_mtu(std::uint32_t outer_mtu, const Ip& peer);

// Nothing: the host is in no zone (with a usable address), and takes no part. The MTU is that of the smallest link which
// carries one of the addresses, since peers may send to each of them. A loopback or dummy interface does not count: no packet
// passes it, and the paths to the peers tell (underlay.h).
std::optional<Overlay> overlay_of(const std::map<Uuid, Ip>& zones, const netlink::LinkTable& links,
                                  const OverlayOptions& options);

// Where a peer is reached: its address in the lowest zone that both are in, else its vtep. Nothing: none is usable.
std::optional<Ip> address_of(const model::BridgeHost& peer, const model::BridgeHost& self, TunnelFamily family);

}  // namespace midonet::agent
