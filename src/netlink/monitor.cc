#include "netlink/monitor.h"

#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/log.h"

namespace midonet::netlink {

namespace {

constexpr std::array link_and_address_groups = {static_cast<int>(RTNLGRP_LINK), static_cast<int>(RTNLGRP_IPV4_IFADDR),
                                                static_cast<int>(RTNLGRP_IPV6_IFADDR)};
// After so many datagrams others on the loop get a turn.
constexpr int datagrams_at_once = 64;
constexpr std::chrono::seconds reopen_delay{1};

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
// Clang 14 does not deduce an aggregate's arguments by itself.
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

std::size_t Monitor::AddressHash::operator()(const std::pair<std::uint32_t, Ip>& key) const {
  const auto bytes = key.second.bytes();
  const std::string_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::hash<std::string_view>()(view) * 31 + key.first;
}

Result<std::unique_ptr<Monitor>> Monitor::open(Loop& loop, Registry& registry, int buffer_bytes) {
  auto socket = Socket::open(link_and_address_groups, buffer_bytes);
  if (!socket) return failed(std::move(socket));
  std::unique_ptr<Monitor> monitor(new Monitor(loop, registry, *std::move(socket), buffer_bytes));
  auto routes = Routes::open(loop, [self = monitor.get()] { self->notify(); });
  if (!routes) return failed(std::move(routes));
  monitor->routes_ = *std::move(routes);
  monitor->watch();
  monitor->begin_dump();
  return monitor;
}

Monitor::Monitor(Loop& loop, Registry& registry, Socket socket, int buffer_bytes)
    : loop_(loop),
      overrun_counter_(registry.counter("midonet_netlink_overruns_total",
                                        "Times that the kernel dropped link events and all links were read again")),
      socket_(std::move(socket)),
      buffer_bytes_(buffer_bytes) {}

void Monitor::watch() {
  readable_ = loop_.on_readable(socket_.fd(), [this] { read(); });
}

// The socket is in its groups before the dump is requested, and all messages come through one queue in the order of the kernel's
// changes. So the dump's message about a link and later events add up to its present state.
void Monitor::begin_dump() {
  phase_ = Phase::dumping_links;
  interrupted_ = false;
  seen_links_.clear();
  seen_addresses_.clear();
  if (const Status sent = socket_.send(dump_links(++sequence_)); !sent) reopen(sent.error());
}

void Monitor::read() {
  for (int i = 0; i < datagrams_at_once; ++i) {
    const auto received = socket_.receive();
    if (!received) return reopen(received.error());
    if (!received->datagram.empty() && !received->lost) {
      if (!decode(received->datagram, [this](Message&& message) { take(std::move(message)); }))
        return start_over("a message from the kernel could not be read");
    }
    if (received->lost) {
      ++overruns_;
      overrun_counter_.add();
      return start_over("the kernel dropped link events");
    }
    if (received->datagram.empty()) break;
  }
  if (unreported_ && phase_ == Phase::following) {
    routes_->look_again();
    notify();
  }
}

void Monitor::take(Message&& message) {
  const bool ours = message.port == socket_.port() && message.sequence == sequence_;
  if (ours && message.interrupted) interrupted_ = true;
  const bool dumping = phase_ != Phase::following;
  std::visit(Overloaded{
                 [&](LinkIs& is) {
                   if (dumping) seen_links_.insert(is.link.ifindex);
                   if (links_.put(std::move(is.link))) unreported_ = true;
                 },
                 [&](const LinkGone& gone) {
                   if (links_.remove(gone.ifindex)) unreported_ = true;
                 },
                 [&](const AddressIs& is) {
                   if (dumping) seen_addresses_.emplace(is.ifindex, is.ip);
                   if (links_.add_address(is.ifindex, is.ip)) unreported_ = true;
                 },
                 [&](const AddressGone& gone) {
                   seen_addresses_.erase({gone.ifindex, gone.ip});
                   if (links_.remove_address(gone.ifindex, gone.ip)) unreported_ = true;
                 },
                 [](const RouteIs&) {},  // asked for elsewhere
                 [&](const Done& done) {
                   if (ours) dump_part_done(done.error_number);
                 },
             },
             message.body);
}

void Monitor::dump_part_done(int error_number) {
  if (error_number != 0 && error_number != EBUSY && error_number != EINTR)
    log::warning("reading the links: {}", fail_errno(error_number, "rtnetlink").value().message);
  if (error_number != 0) interrupted_ = true;
  if (interrupted_) {
    // Not at once: what disturbs the dump (hundreds of links being made, say) gets time to finish.
    phase_ = Phase::dumping_links;
    ++sequence_;  // what still comes of this dump is not ours any more
    retry_ = loop_.after(std::chrono::milliseconds(20), [this] { begin_dump(); });
    return;
  }
  if (phase_ == Phase::dumping_links) {
    phase_ = Phase::dumping_addresses;
    if (const Status sent = socket_.send(dump_addresses(++sequence_)); !sent) {
      interrupted_ = true;
      retry_ = loop_.after(reopen_delay, [this] { begin_dump(); });
    }
    return;
  }
  finish_dump();
}

void Monitor::finish_dump() {
  std::vector<std::uint32_t> gone;
  std::vector<std::pair<std::uint32_t, Ip>> gone_addresses;
  for (const auto& [ifindex, link] : links_.all()) {
    if (!seen_links_.contains(ifindex)) gone.push_back(ifindex);
    for (const Ip& ip : link.addresses)
      if (!seen_addresses_.contains({ifindex, ip})) gone_addresses.emplace_back(ifindex, ip);
  }
  for (const auto& [ifindex, ip] : gone_addresses) links_.remove_address(ifindex, ip);
  for (const std::uint32_t ifindex : gone) links_.remove(ifindex);
  seen_links_ = {};
  seen_addresses_ = {};
  phase_ = Phase::following;
  if (!gone.empty() || !gone_addresses.empty() || !ready_) unreported_ = true;
  ready_ = true;
}

void Monitor::start_over(const char* why) {
  log::warning("{}: reading all links again", why);
  retry_.cancel();
  // A dump that is still running would make the next one fail with EBUSY, and what is queued is worthless: a
  // new socket.
  auto socket = Socket::open(link_and_address_groups, buffer_bytes_);
  if (!socket) return reopen(socket.error());
  readable_.cancel();
  socket_ = *std::move(socket);
  watch();
  begin_dump();
}

void Monitor::reopen(const Error& error) {
  log::warning("{}: trying again in {} s", error.message, reopen_delay.count());
  readable_.cancel();
  retry_ = loop_.after(reopen_delay, [this] { start_over("the rtnetlink socket failed"); });
}

void Monitor::notify() {
  unreported_ = false;
  if (notifier_.armed()) return;
  notifier_ = loop_.after(std::chrono::nanoseconds(0), [this] {
    if (changed_) changed_();
  });
}

}  // namespace midonet::netlink
