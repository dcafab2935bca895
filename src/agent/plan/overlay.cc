#include "agent/plan/overlay.h"

#include <algorithm>

#include "base/interface_name.h"

namespace midonet::agent {

namespace {

constexpr std::uint32_t ethernet_mtu = 1500;
// Below this there is no room for what every IPv4 host must take (RFC 791: 68 octets); such a link carries no tunnel.
constexpr std::uint32_t least_mtu = 68;

bool usable(const Ip& ip, TunnelFamily family) {
  switch (family) {
    case TunnelFamily::any: return true;
    case TunnelFamily::ipv4: return ip.is_v4();
    case TunnelFamily::ipv6: return !ip.is_v4();
  }
  return false;
}

}  // namespace

std::uint32_t inner_mtu(std::uint32_t outer_mtu, const Ip& peer) {
  const std::uint32_t overhead = peer.is_v4() ? overhead_ipv4 : overhead_ipv6;
  return std::max(outer_mtu, overhead + least_mtu) - overhead;
}

Result<TunnelFamily> parse_tunnel_family(std::string_view text) {
  if (text == "any") return TunnelFamily::any;
  if (text == "ipv4") return TunnelFamily::ipv4;
  if (text == "ipv6") return TunnelFamily::ipv6;
  return fail(Code::invalid, "'{}' is no family of tunnel addresses: any, ipv4 or ipv6", text.substr(0, 64));
}

std::optional<Overlay> overlay_of(const std::map<Uuid, Ip>& zones, const netlink::LinkTable& links,
                                  const OverlayOptions& options) {
  Overlay out;
  for (const auto& [zone, ip] : zones)
    if (usable(ip, options.family)) out.self.zones.emplace(zone, ip);
  if (out.self.zones.empty()) return {};
  out.self.vtep = out.self.zones.begin()->second;

  std::optional<std::uint32_t> smallest;
  for (const auto& [zone, ip] : out.self.zones) {
    for (const std::uint32_t ifindex : links.with_address(ip)) {
      const netlink::Link& link = *links.find(ifindex);
      out.present.insert(ip);
      if (!link.loopback && link.kind != "dummy") {
        const std::uint32_t mtu = inner_mtu(link.mtu, ip);
        smallest = std::min(smallest.value_or(mtu), mtu);
      }
      if (ip != out.self.vtep || (out.carried && out.link < printable(link.name))) continue;
      out.carried = true;
      out.link = printable(link.name);
      out.link_mtu = link.mtu;
    }
  }
  out.guessed = options.mtu == 0 && !smallest;
  out.mtu = options.mtu != 0 ? options.mtu : smallest.value_or(inner_mtu(ethernet_mtu, out.self.vtep));
  return out;
}

std::optional<Ip> address_of(const model::BridgeHost& peer, const model::BridgeHost& self, TunnelFamily family) {
  for (const auto& [zone, ip] : peer.zones)
    if (self.zones.contains(zone) && usable(ip, family)) return ip;
  if (usable(peer.vtep, family)) return peer.vtep;
  return {};
}

}  // namespace midonet::agent
