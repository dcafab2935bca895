// How packets leave this network namespace for some addresses, as the kernel says it. Values only; filled by routes.h from
// the kernel, or by a test.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "base/ip.h"

namespace midonet::netlink {

struct Destination {
  Ip ip;
  std::optional<Ip> from{};  // with this source; one of another family, or that the host does not have, is ignored
  auto operator<=>(const Destination&) const = default;
};

struct Route {
  std::set<std::uint32_t> interfaces{};  // ifindexes that packets leave by; never empty, several for a multipath route
  std::uint32_t mtu = 0;                 // of the path, as the route says or as was learned; 0: that of the interface
  std::optional<Ip> source{};            // what the kernel takes where the sender names none
  bool is_default = false;               // what matches is the route to everywhere
  bool advertised = false;               // it comes from a router advertisement (IPv6)
  std::chrono::milliseconds expires{0};  // when what was learned is forgotten; 0: never
  bool operator==(const Route&) const = default;
};

// Destinations without a route are not in it.
using RouteTable = std::map<Destination, Route>;

}  // namespace midonet::netlink
