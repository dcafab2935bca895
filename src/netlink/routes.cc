#include "netlink/routes.h"

#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "netlink/message.h"

namespace midonet::netlink {

namespace {

constexpr std::array route_groups = {static_cast<int>(RTNLGRP_IPV4_ROUTE), static_cast<int>(RTNLGRP_IPV6_ROUTE),
                                     static_cast<int>(RTNLGRP_IPV4_RULE), static_cast<int>(RTNLGRP_IPV6_RULE)};
// Events are not read, so that a lost one costs nothing.
constexpr int event_bytes = 64 * 1024;
// Routes change in bunches (a routing protocol that starts), and the kernel notes what it learned of a path after the
// sockets have heard of it.
constexpr std::chrono::milliseconds pause{20};
constexpr timeval deadline{1, 0};

}  // namespace

Destination Routes::anywhere_v4() { return {*Ip::parse("198.51.100.1"), {}}; }
Destination Routes::anywhere_v6() { return {*Ip::parse("2001:db8::1"), {}}; }

Result<std::unique_ptr<Routes>> Routes::open(Loop& loop, std::function<void()> changed) {
  auto events = Socket::open(route_groups, event_bytes);
  if (!events) return failed(std::move(events));
  std::unique_ptr<Routes> out(new Routes(loop, std::move(changed), *std::move(events)));
  out->questions_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!out->questions_) return fail_errno(errno, "open an rtnetlink socket");
  if (::setsockopt(out->questions_.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline) != 0)
    return fail_errno(errno, "set the deadline of an rtnetlink socket");
  for (const int family : {AF_INET, AF_INET6}) out->hear_of_paths(family);
  return out;
}

Routes::Routes(Loop& loop, std::function<void()> changed, Socket events)
    : loop_(loop), changed_(std::move(changed)), events_(std::move(events)) {
  watches_.push_back(loop_.on_readable(events_.fd(), [this] { drain(events_.fd()); }));
}

// The kernel has no event for what it learned of a path; a raw socket hears the message that it learns it from. Without one,
// a path that becomes narrower is noticed at the next change of a route.
void Routes::hear_of_paths(int family) {
  const bool v4 = family == AF_INET;
  UniqueFd fd(
      ::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, v4 ? IPPROTO_ICMP : static_cast<int>(IPPROTO_ICMPV6)));
  if (!fd) {
    if (errno != EAFNOSUPPORT)
      log::warning("{}: what is learned of the paths to other hosts is noticed late",
                   fail_errno(errno, "hear {} messages", v4 ? "ICMP" : "ICMPv6").value().message);
    return;
  }
  // Of IPv4 the packet begins with its header; IPv6 leaves that out.
  std::array<sock_filter, 6> code{{
      v4 ? sock_filter BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0) : sock_filter BPF_STMT(BPF_LDX | BPF_IMM, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),  // type and code
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
               v4 ? std::uint32_t{ICMP_DEST_UNREACH << 8 | ICMP_FRAG_NEEDED} : std::uint32_t{ICMPV6_PKT_TOOBIG << 8}, 0,
               1),
      BPF_STMT(BPF_RET | BPF_K, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  const int small = 4096;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) != 0) {
    log::warning("{}", fail_errno(errno, "filter ICMP messages").value().message);
    return;
  }
  watches_.push_back(loop_.on_readable(fd.get(), [this, number = fd.get()] { drain(number); }));
  paths_.push_back(std::move(fd));
}

void Routes::drain(int fd) {
  std::array<char, 2048> ignored;
  // Every message says the same; so does one that was lost (ENOBUFS).
  while (::recv(fd, ignored.data(), ignored.size(), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS) {
  }
  look_again();
}

void Routes::look_again() {
  if (wanted_.empty() || again_.armed()) return;
  again_ = loop_.after(pause, [this] { look(); });
}

const RouteTable& Routes::follow(const std::set<Destination>& wanted) {
  if (wanted == wanted_) return table_;
  std::erase_if(table_, [&](const auto& known) { return !wanted.contains(known.first); });
  for (const Destination& to : wanted) {
    if (wanted_.contains(to)) continue;
    if (auto route = ask(to)) table_.emplace(to, *std::move(route));
  }
  wanted_ = wanted;
  wait_for_expiry();
  return table_;
}

void Routes::look() {
  RouteTable now;
  for (const Destination& to : wanted_)
    if (auto route = ask(to)) now.emplace_hint(now.end(), to, *std::move(route));
  const auto same = [](const auto& a, const auto& b) {
    Route of_a = a.second;
    of_a.expires = b.second.expires;
    return a.first == b.first && of_a == b.second;
  };
  const bool changed = !std::equal(now.begin(), now.end(), table_.begin(), table_.end(), same);
  table_ = std::move(now);
  wait_for_expiry();
  if (changed) changed_();
}

void Routes::wait_for_expiry() {
  std::optional<std::chrono::milliseconds> soonest;
  for (const auto& [to, route] : table_)
    if (route.expires.count() > 0) soonest = std::min(soonest.value_or(route.expires), route.expires);
  if (soonest)
    expiry_ = loop_.after(*soonest + pause, [this] { look(); });
  else
    expiry_.cancel();
}

std::optional<Route> Routes::ask(const Destination& to) {
  const bool rule = to == anywhere_v4() || to == anywhere_v6();
  auto route = ask(to, rule);
  // The kernel knows no way from an address that is not this host's.
  if (!route && to.from) route = ask({to.ip, {}}, rule);
  return route;
}

std::optional<Route> Routes::ask(const Destination& to, bool rule) {
  const auto request = get_route(++sequence_, to, rule);
  if (::send(questions_.get(), request.data(), request.size(), 0) < 0) return {};
  alignas(nlmsghdr) std::array<std::uint8_t, 8192> answer;
  for (;;) {
    const ssize_t got = ::recv(questions_.get(), answer.data(), answer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    std::optional<Route> route;
    bool answered = false;
    static_cast<void>(decode({answer.data(), static_cast<std::size_t>(got)}, [&](Message&& message) {
      if (message.sequence != sequence_) return;
      answered = true;
      if (auto* is = std::get_if<RouteIs>(&message.body)) route = std::move(is->route);
    }));
    if (answered) return route;
  }
}

}  // namespace midonet::netlink
