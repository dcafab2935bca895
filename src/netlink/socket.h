// A non-blocking rtnetlink socket of the network namespace that this thread is in when it is opened. It stays
// with that namespace. Used by monitor.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::netlink {

class Socket {
 public:
  // Member of the given groups (RTNLGRP_*), with a receive buffer of about `buffer_bytes` (beyond
  // net.core.rmem_max where we may: CAP_NET_ADMIN).
  static Result<Socket> open(std::span<const int> groups, int buffer_bytes);

  Status send(std::span<const std::uint8_t> request);

  struct Received {
    std::span<const std::uint8_t> datagram;  // empty: nothing there now. Valid until the next receive().
    bool lost = false;                       // messages were dropped or cut: the known state may be wrong
  };
  Result<Received> receive();

  int fd() const { return fd_.get(); }
  std::uint32_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint32_t port_ = 0;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace midonet::netlink
