// A socket for requests to rtnetlink, which are answered one by one. Used by tc.h and vxlan.h; mechanism only.
//
// A request blocks until the kernel has answered (microseconds; at most `deadline`). One thread. The socket belongs to
// the network namespace that the calling thread was in when it was opened.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"

struct nlmsghdr;
struct mnl_socket;

namespace midonet::netlink {

struct CloseNetlink {
  void operator()(mnl_socket* socket) const;
};
using NetlinkSocket = std::unique_ptr<mnl_socket, CloseNetlink>;

constexpr std::size_t netlink_buffer_bytes = 32 * 1024;  // what the kernel's dumps use at most

// `flags` as of socket(2), `groups` is a mask of RTMGRP_*.
Result<NetlinkSocket> open_netlink(int flags, unsigned groups);

class Rtnetlink {
 public:
  static constexpr std::chrono::seconds deadline{5};

  static Result<Rtnetlink> open();

  // Sends the request and hands each answering message to `each`. 0, or the errno of the kernel's answer; EINTR for a
  // dump during which what it lists has changed.
  int transact(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& each);

  // The sender that the kernel's notifications name for changes made here.
  std::uint32_t port_id() const;

 private:
  explicit Rtnetlink(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace midonet::netlink
