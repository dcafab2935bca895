#include "agent/plan/underlay.h"

#include <algorithm>
#include <deque>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/interface_name.h"
#include "netlink/routes.h"

namespace midonet::agent {

using netlink::Destination;
using netlink::Link;
using netlink::LinkTable;
using netlink::Route;
using netlink::RouteTable;

namespace {

constexpr std::string_view tunnel_alias = "midolman ";  // tunnel_device.h

// The interfaces that an interface stands on, or that it is made of; and those that stand on it. A veth's peer is neither.
std::vector<std::uint32_t> below(const Link& link, const LinkTable& links) {
  std::vector<std::uint32_t> out = links.members(link.ifindex);
  if (link.lower != 0 && link.kind != "veth" && link.kind != "netkit") out.push_back(link.lower);
  return out;
}
std::vector<std::uint32_t> above(const Link& link, const LinkTable& links) {
  std::vector<std::uint32_t> out = links.above(link.ifindex);
  if (link.master != 0) out.push_back(link.master);
  return out;
}

// This host's, by zone.
std::map<Uuid, Ip> addresses(const Snapshot& snapshot) {
  std::map<Uuid, Ip> out;
  for (const auto& [zone, membership] : snapshot.zones)
    if (membership.address) out.emplace_hint(out.end(), zone, *membership.address);
  return out;
}

class Uplinks {
 public:
  explicit Uplinks(const LinkTable& links) : links_(links) {}

  void add(std::uint32_t ifindex, const std::string& why) { found_.emplace(ifindex, why); }
  void add_route(const Route& route, const std::string& why) {
    for (const std::uint32_t ifindex : route.interfaces) add(ifindex, why);
  }

  std::map<std::uint32_t, std::string> stacked() const {
    auto out = found_;
    for (const auto& [ifindex, why] : found_) {
      const Link* link = links_.find(ifindex);
      if (!link || link->loopback) continue;
      const std::string it = fmt::format("{}, which {}", printable(link->name), why);
      spread(*link, below, "stands below " + it, out);
      spread(*link, above, "stands above " + it, out);
    }
    return out;
  }

 private:
  template <class Next>
  void spread(const Link& from, Next next, const std::string& why, std::map<std::uint32_t, std::string>& out) const {
    std::deque<std::uint32_t> todo{from.ifindex};
    std::set<std::uint32_t> seen{from.ifindex};
    while (!todo.empty()) {
      const Link* link = links_.find(todo.front());
      todo.pop_front();
      if (!link) continue;
      for (const std::uint32_t ifindex : next(*link, links_)) {
        if (!seen.insert(ifindex).second) continue;
        out.emplace(ifindex, why);
        todo.push_back(ifindex);
      }
    }
  }

  const LinkTable& links_;
  std::map<std::uint32_t, std::string> found_;
};

// The address of this host in the zone where the peer is reached, else another of the family.
std::optional<Ip> source_for(const model::BridgeHost& peer, const Ip& reached, const Overlay& overlay) {
  const auto usable = [&](const Ip& ip) { return ip.is_v4() == reached.is_v4() && overlay.present.contains(ip); };
  for (const auto& [zone, ip] : overlay.self.zones) {
    const auto there = peer.zones.find(zone);
    if (there != peer.zones.end() && there->second == reached && usable(ip)) return ip;
  }
  if (usable(overlay.self.vtep)) return overlay.self.vtep;
  for (const auto& [zone, ip] : overlay.self.zones)
    if (usable(ip)) return ip;
  return {};
}

const Route* find(const RouteTable& routes, const Ip& ip) {
  const auto at = routes.lower_bound({ip, {}});
  return at != routes.end() && at->first.ip == ip ? &at->second : nullptr;
}

}  // namespace

Underlay underlay_of(const Snapshot& snapshot, const LinkTable& links, const OverlayOptions& options,
                     const std::function<const RouteTable&(const PeerAddresses& peers)>& routes) {
  Underlay out;
  out.overlay = overlay_of(addresses(snapshot), links, options);
  out.peers = peers_of(snapshot, out.overlay, options);
  const RouteTable& known = routes(out.peers);
  if (out.overlay) fit_paths(*out.overlay, out.peers, known, links, options);
  out.uplinks = uplinks(links, out.overlay, out.peers, known, options);
  if (out.overlay) out.warnings = foreign_sources(out.peers, known, options);
  return out;
}

PeerAddresses peers_of(const Snapshot& snapshot, const std::optional<Overlay>& overlay, const OverlayOptions& options) {
  PeerAddresses out;
  if (!overlay) return out;
  std::unordered_set<Uuid> seen;
  for (const auto& [id, bridge] : snapshot.bridges) {
    for (const auto& [host, peer] : bridge.peers->hosts) {
      if (!peer->record || !seen.insert(host).second) continue;
      if (const auto ip = address_of(*peer->record, overlay->self, options.family))
        out.emplace(*ip, source_for(*peer->record, *ip, *overlay));
    }
  }
  return out;
}

std::set<Destination> destinations(const PeerAddresses& peers, const OverlayOptions& options) {
  std::set<Destination> out{netlink::Routes::anywhere_v4(), netlink::Routes::anywhere_v6()};
  for (const Ip& server : options.store) out.insert({server, {}});
  for (const auto& [ip, source] : peers) out.insert({ip, options.sets_source ? source : std::nullopt});
  return out;
}

void fit_paths(Overlay& overlay, const PeerAddresses& peers, const RouteTable& routes, const LinkTable& links,
               const OverlayOptions& options) {
  if (options.mtu != 0) return;
  for (const auto& [peer, source] : peers) {
    const Route* route = find(routes, peer);
    if (!route) continue;
    std::uint32_t path = route->mtu;
    for (const std::uint32_t ifindex : route->interfaces) {
      const Link* link = links.find(ifindex);
      if (link && (path == 0 || link->mtu < path)) path = link->mtu;
    }
    if (path == 0) continue;
    const std::uint32_t mtu = inner_mtu(path, peer);
    if (mtu >= overlay.mtu && !overlay.guessed) continue;
    overlay.guessed = false;
    overlay.mtu = mtu;
    overlay.narrowest = peer;
  }
}

std::map<std::uint32_t, std::string> uplinks(const LinkTable& links, const std::optional<Overlay>& overlay,
                                             const PeerAddresses& peers, const RouteTable& routes,
                                             const OverlayOptions& options) {
  Uplinks out(links);
  if (const Link* device = links.find(options.device); device && !options.device.empty())
    out.add(device->ifindex, "is the tunnel device");
  for (const std::uint32_t ifindex : links.with_alias())
    if (links.find(ifindex)->alias.starts_with(tunnel_alias)) out.add(ifindex, "is the tunnel device");
  if (overlay) {
    for (const auto& [zone, ip] : overlay->self.zones)
      for (const std::uint32_t ifindex : links.with_address(ip))
        out.add(ifindex, fmt::format("carries the tunnel address {} of this host", ip));
  }
  for (const Ip& server : options.store)
    if (const Route* route = find(routes, server))
      out.add_route(*route, fmt::format("carries the route to the store at {}", server));
  for (const Destination& anywhere : {netlink::Routes::anywhere_v4(), netlink::Routes::anywhere_v6()}) {
    const Route* route = find(routes, anywhere.ip);
    if (!route || !route->is_default) continue;
    for (const std::uint32_t ifindex : route->interfaces) {
      // A guest can advertise itself as a router to a tap that is not plugged yet: that does not keep it from being plugged.
      const Link* link = links.find(ifindex);
      if (route->advertised && link && link->kind == "tun") continue;
      out.add(ifindex, "carries the default route");
    }
  }
  for (const auto& [peer, source] : peers)
    if (const Route* route = find(routes, peer))
      out.add_route(*route, fmt::format("carries the route to the host at {}", peer));
  return out.stacked();
}

void set_sources(datapath::TunnelSpec& tunnel, const Overlay& overlay, const PeerAddresses& peers) {
  const Ip& vtep = overlay.self.vtep;
  if (overlay.present.contains(vtep)) (vtep.is_v4() ? tunnel.source_v4 : tunnel.source_v6) = vtep;
  for (const auto& [peer, source] : peers) {
    if (!source) continue;
    std::optional<Ip>& common = peer.is_v4() ? tunnel.source_v4 : tunnel.source_v6;
    if (!common) common = *source;
    if (*common != *source) tunnel.sources.emplace(peer, *source);
  }
}

std::vector<std::string> foreign_sources(const PeerAddresses& peers, const RouteTable& routes,
                                         const OverlayOptions& options) {
  std::vector<std::string> out;
  if (options.sets_source) return out;
  for (const auto& [peer, source] : peers) {
    const Route* route = find(routes, peer);
    if (!source || !route || !route->source || *route->source == *source) continue;
    out.push_back(
        fmt::format("tunnel packets to {} are from {} instead of {}: this kernel takes the address from the route "
                    "(`ip route … src {}`)",
                    peer, *route->source, *source, *source));
  }
  return out;
}

std::string obstacle(const Link& link, const LinkTable& links, const std::map<std::uint32_t, std::string>& uplinks) {
  if (link.loopback) return fmt::format("{} is the loopback interface", link.name);
  if (!link.ethernet()) return fmt::format("{} is not an Ethernet interface", link.name);
  if (const auto uplink = uplinks.find(link.ifindex); uplink != uplinks.end())
    return fmt::format("{} {}", link.name, uplink->second);
  // Frames pass these on their way to or from another interface, before or behind our hooks.
  if (link.kind == "macvtap" || link.kind == "macvlan" || link.kind == "ipvtap" || link.kind == "ipvlan")
    return fmt::format("{} is a {} interface: make a tap instead", link.name, link.kind);
  if (link.master == 0) return {};
  const Link* master = links.find(link.master);
  const std::string name = master ? printable(master->name) : fmt::format("with ifindex {}", link.master);
  const std::string& kind = !link.master_kind.empty() ? link.master_kind : master ? master->kind : link.master_kind;
  std::string_view what = "interface";
  if (kind == "bridge")
    what = "Linux bridge";
  else if (kind == "bond")
    what = "bond";
  else if (kind == "team")
    what = "team";
  else if (kind == "vrf")
    what = "VRF";
  else if (kind == "openvswitch" || name == "ovs-system")
    what = "Open vSwitch datapath";
  return fmt::format("{} is a member of {} {}", link.name, what, name);
}

}  // namespace midonet::agent
