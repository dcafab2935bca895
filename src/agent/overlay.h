// The part of this host in the overlay: which of its addresses in tunnel zones its peers send to, how large a packet may be
// that goes through the tunnel, and at which address a peer is reached. Pure functions; used by agent/plan and agent/offers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

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
  std::uint32_t mtu = 0;  // the largest IP packet that fits into the tunnel; 0: computed from the underlay's links
};

// What a VXLAN packet has around the inner IP packet (RFC 7348 section 5): the inner Ethernet header, VXLAN, UDP, outer IP.
inline constexpr std::uint32_t overhead_ipv4 = 14 + 8 + 8 + 20;
inline constexpr std::uint32_t overhead_ipv6 = 14 + 8 + 8 + 40;

struct Overlay {
  // What the host tells its peers: its usable address in each zone, and the one of the lowest zone for everybody else.
  model::BridgeHost self;
  std::uint32_t mtu = 0;
  // False: no interface of this host has the address `self.vtep`, so nothing that peers send arrives. The MTU is then that of
  // a tunnel over Ethernet's 1500.
  bool carried = false;
  std::string link;            // which has it; with several, the first by name
  std::uint32_t link_mtu = 0;  // of that one
  bool operator==(const Overlay&) const = default;
};

// Nothing: the host is in no zone (with a usable address), and takes no part. The MTU is that of the smallest link which
// carries one of the addresses, since peers may send to each of them.
std::optional<Overlay> overlay_of(const std::map<Uuid, Ip>& zones, const netlink::LinkTable& links,
                                  const OverlayOptions& options);

// Where a peer is reached: its address in the lowest zone that both are in, else its vtep. Nothing: none is usable.
std::optional<Ip> address_of(const model::BridgeHost& peer, const model::BridgeHost& self, TunnelFamily family);

}  // namespace midonet::agent
