// Listening sockets: made, checked, accepted from. Plain system calls. Internal to http/, but for the address check.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::http {

struct Endpoint {
  Ip ip;
  std::uint16_t port = 0;

  // "127.0.0.1:8181", "[::1]:8181", "localhost:8181" (which is 127.0.0.1). Code::invalid otherwise: no other names.
  static Result<Endpoint> parse(const std::string& text);
  bool is_loopback() const;
  std::string to_string() const;
  // The client whose share of a server the peer takes: its address; of IPv6 the network of 64 bits, which one customer has.
  std::string client() const;
};

Result<UniqueFd> listen_tcp_socket(const Endpoint& endpoint);
Result<Endpoint> bound_endpoint(int socket);

// A stale socket file is replaced; conflict: a process listens there, or the file is no socket.
Result<UniqueFd> listen_unix_socket(const std::string& path, unsigned mode);

struct Accepted {
  UniqueFd socket;       // non-blocking, close-on-exec
  int error = 0;         // errno when there is none: EAGAIN, EMFILE …
  std::string peer{};    // "127.0.0.1:34567" or "unix"
  std::string client{};  // for Request::client
};
Accepted accept_from(int listener);

}  // namespace midonet::http
