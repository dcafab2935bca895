// Replies and events of rtnetlink, decoded: bytes in, values out. Used by monitor.h; pure, so that captured
// bytes and random ones can be thrown at it. A message that is cut short or contradicts itself is skipped, never read beyond.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace midonet::netlink {

// The content of one message.
struct LinkIs {
  Link link;  // without addresses: those come by AddressIs
};
struct LinkGone {
  std::uint32_t ifindex;
};
struct AddressIs {
  std::uint32_t ifindex;
  Ip ip;
};
struct AddressGone {
  std::uint32_t ifindex;
  Ip ip;
};
struct RouteIs {  // the answer to get_route()
  Route route;
};
struct Done {  // end of a dump, or the answer to a request; error_number 0 for success
  int error_number;
};

struct Message {
  std::uint32_t sequence = 0;  // of the request that this answers
  std::uint32_t port = 0;      // of the socket that asked; events that others caused carry theirs, or 0
  bool interrupted = false;    // NLM_F_DUMP_INTR: the dump is not one consistent moment
  std::variant<LinkIs, LinkGone, AddressIs, AddressGone, RouteIs, Done> body;
};

// Calls `each` for every message of one datagram that is of interest. False when the datagram is damaged or
// says that messages were lost: what came before has been given.
bool decode(std::span<const std::uint8_t> datagram, const std::function<void(Message&&)>& each);

// Requests, ready to be sent.
std::vector<std::uint8_t> dump_links(std::uint32_t sequence);
std::vector<std::uint8_t> dump_addresses(std::uint32_t sequence);
// The way of a packet to this destination. With `rule` the route of the table that matches, otherwise the resulting path, with its
// learned MTU.
std::vector<std::uint8_t> get_route(std::uint32_t sequence, const Destination& to, bool rule);

}  // namespace midonet::netlink
