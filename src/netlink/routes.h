// The routes to some destinations, live: read from the kernel once, and again after each change that may concern them: of a route, a
// rule, a link, an address, or the learned MTU of a path (RFC 1191, RFC 8201). No polling. Used by monitor.h.
//
// A lookup is a request to rtnetlink, which blocks for microseconds. On the loop's thread, in the network namespace that
// it was opened in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "netlink/route.h"
#include "netlink/socket.h"

namespace midonet::netlink {

class Routes {
 public:
  // `changed` is called from the loop when a route that is followed is different.
  static Result<std::unique_ptr<Routes>> open(Loop& loop, std::function<void()> changed);

  // The routes to these destinations, followed from now on; others are forgotten. An address that no host may have
  // (RFC 5737, RFC 3849) shows the default route, if it has no other.
  const RouteTable& follow(const std::set<Destination>& wanted);
  void look_again();  // soon, since links or addresses changed

  // Addresses for documentation: only a default route leads there.
  static Destination anywhere_v4();
  static Destination anywhere_v6();

 private:
  Routes(Loop& loop, std::function<void()> changed, Socket events);
  void hear_of_paths(int family);
  void drain(int fd);
  void look();
  std::optional<Route> ask(const Destination& to);
  std::optional<Route> ask(const Destination& to, bool rule);
  void wait_for_expiry();

  Loop& loop_;
  std::function<void()> changed_;
  Socket events_;
  UniqueFd questions_;
  std::uint32_t sequence_ = 0;
  std::set<Destination> wanted_;
  RouteTable table_;
  std::vector<UniqueFd> paths_;  // raw sockets that hear «packet too big»
  std::vector<FdWatch> watches_;
  Timer again_, expiry_;
};

}  // namespace midonet::netlink
