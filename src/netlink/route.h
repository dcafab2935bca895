// The routes of this network namespace to some addresses, as the kernel chooses them. Values only; routes.h fills them from the kernel,
// or a test does.
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
  std::uint32_t mtu = 0;                 // of the path, from the route or learned; 0: that of the interface
  std::optional<Ip> source{};            // the kernel's choice when the sender names none
  bool is_default = false;               // the matching route is the default route
  bool advertised = false;               // it comes from a router advertisement (IPv6)
  std::chrono::milliseconds expires{0};  // when the learned MTU is forgotten; 0: never
  bool operator==(const Route&) const = default;
};

// Destinations without a route are not in it.
using RouteTable = std::map<Destination, Route>;

}  // namespace midonet::netlink
