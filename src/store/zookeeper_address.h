// "zookeeper://h1:2181,[2001:db8::1],h3/midonet": the servers of an ensemble, and the node that is our root. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midonet::store {

struct ZookeeperAddress {
  struct Server {
    std::string host;  // a name, an IPv4 address, or an IPv6 address without brackets
    std::uint16_t port;
    bool operator==(const Server&) const = default;
  };
  std::vector<Server> servers;
  std::string root;  // never "/" alone: "/midonet" where the URI names none

  static constexpr std::string_view scheme = "zookeeper://";
  // Code::invalid says which part of the URI is wrong, and how.
  static Result<ZookeeperAddress> parse(std::string_view uri);
  std::string uri() const;
};

// Whether it is an address, so needs no name service.
bool is_ip_address(const std::string& host);

}  // namespace midonet::store
