#include "http/client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/unique_fd.h"

namespace midonet::http {

namespace {

namespace beast = boost::beast;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t longest_answer_bytes = 1024ull * 1024 * 1024;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

struct Place {
  std::string text;       // as given, for messages
  std::string authority;  // for the Host header
  std::vector<SocketAddress> addresses;
};

Result<Place> unix_place(const std::string& endpoint, const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path)
    return fail(Code::invalid, "{}: a socket's path has 1 to {} bytes", endpoint, sizeof un.sun_path - 1);
  std::memcpy(un.sun_path, path.data(), path.size());
  SocketAddress address;
  std::memcpy(&address.storage, &un, sizeof un);
  address.length = sizeof un;
  return Place{endpoint, "localhost", {address}};
}

Result<Place> tcp_place(const std::string& endpoint, std::string authority) {
  while (authority.ends_with('/')) authority.pop_back();
  std::string host = authority;
  std::string port = "80";
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string::npos && authority.find(']', colon) == std::string::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find('/') != std::string::npos)
    return fail(Code::invalid, "'{}' is not an endpoint: write http://127.0.0.1:8181 or unix:/path", endpoint);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  // No AI_ADDRCONFIG: it refuses 127.0.0.1 where loopback is all there is. Every address that is found is tried in turn.
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return fail(Code::unavailable, "{}: {}", endpoint, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Place place{endpoint, authority, {}};
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
    place.addresses.push_back(address);
  }
  return place;
}

Result<Place> find(const std::string& endpoint) {
  if (endpoint.starts_with("unix:")) return unix_place(endpoint, endpoint.substr(5));
  if (endpoint.starts_with("http://")) return tcp_place(endpoint, endpoint.substr(7));
  return fail(Code::invalid, "'{}' is not an endpoint: write http://127.0.0.1:8181 or unix:/path", endpoint);
}

class Exchange {
 public:
  Exchange(const Place& place, Clock::time_point deadline) : place_(place), deadline_(deadline) {}

  Status connect() {
    Status last = fail(Code::unavailable, "{}: no address", place_.text);
    for (const SocketAddress& address : place_.addresses) {
      last = connect_to(address);
      if (last) return last;
    }
    return last;
  }

  // A server may answer before it has read everything, and end its reading (413): then its answer counts.
  Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        if (Status ready = wait(POLLOUT | POLLIN); !ready) return ready;
        if (has_answer()) return {};
      } else if (errno == EPIPE || errno == ECONNRESET) {
        return {};
      } else if (errno != EINTR) {
        return system_error(errno);
      }
    }
    return {};
  }

  Result<Response> receive(bool head) {
    std::string buffer;
    for (;;) {
      // Interim answers (100 Continue) are passed over.
      beast::http::response_parser<beast::http::string_body> parser;
      parser.eager(true);
      parser.skip(head);
      parser.body_limit(longest_answer_bytes);
      parser.header_limit(256 * 1024);
      if (Status read = receive_one(parser, buffer); !read) return failed(std::move(read));
      auto message = parser.release();
      if (message.result_int() / 100 == 1) continue;
      Response response;
      response.status = static_cast<int>(message.result_int());
      for (const auto& field : message) response.headers.emplace(field.name_string(), field.value());
      response.body = std::move(message.body());
      return response;
    }
  }

 private:
  Status connect_to(const SocketAddress& address) {
    socket_.reset(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return system_error(errno);
    const int on = 1;
    if (address.storage.ss_family != AF_UNIX) ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // The one place where the kernel's address type is cast.
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0) return {};
    if (errno != EINPROGRESS) return system_error(errno);
    if (Status ready = wait(POLLOUT); !ready) return ready;
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return system_error(error);
    return {};
  }

  template <class Parser>
  Status receive_one(Parser& parser, std::string& buffer) {
    for (;;) {
      beast::error_code error;
      if (!buffer.empty()) {
        const std::size_t used = parser.put(boost::asio::buffer(buffer.data(), buffer.size()), error);
        buffer.erase(0, used);
        if (error && error != beast::http::error::need_more)
          return fail(Code::unavailable, "{}: the answer is not HTTP: {}", place_.text, error.message());
        if (parser.is_done()) return {};
      }
      std::array<char, 65536> bytes;
      const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
      if (got > 0) {
        buffer.append(bytes.data(), static_cast<std::size_t>(got));
      } else if (got == 0) {
        if (parser.got_some()) parser.put_eof(error);
        if (parser.got_some() && !error && parser.is_done()) return {};
        return fail(Code::unavailable, "{}: the connection was closed before the answer was complete", place_.text);
      } else if (errno == EAGAIN) {
        if (Status ready = wait(POLLIN); !ready) return ready;
      } else if (errno != EINTR) {
        return system_error(errno);
      }
    }
  }

  bool has_answer() const {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }

  Status wait(int events) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) return fail(Code::unavailable, "{}: no answer in time", place_.text);
      pollfd poll_fd{socket_.get(), static_cast<short>(events), 0};
      const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left, 3'600'000)));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return system_error(errno);
    }
  }

  // Whatever the reason: no server answers there.
  Status system_error(int error_number) const {
    Error error = fail_errno(error_number, "{}", place_.text).value();
    if (error.code != Code::forbidden) error.code = Code::unavailable;
    return failed(std::move(error));
  }

  const Place& place_;
  const Clock::time_point deadline_;
  UniqueFd socket_;
};

bool has_no_line_end(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

}  // namespace

Result<Response> call(const std::string& endpoint, const std::string& method, const std::string& target,
                      const Headers& headers, const std::string& body, std::chrono::milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  const Result<Place> place = find(endpoint);
  if (!place) return failed(place);
  std::string bytes = method + " " + target + " HTTP/1.1\r\n";
  if (headers.find(std::string_view("host")) == headers.end()) bytes += "Host: " + place->authority + "\r\n";
  bool legal = has_no_line_end(method) && has_no_line_end(target) && target.find(' ') == target.npos;
  for (const auto& [name, value] : headers) {
    legal = legal && has_no_line_end(name) && has_no_line_end(value);
    bytes += name + ": " + value + "\r\n";
  }
  if (!legal) return fail(Code::invalid, "{}: a line break in the request to {}", place->text, endpoint);
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH")
    bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  bytes += "Connection: close\r\n\r\n";
  bytes += body;

  Exchange exchange(*place, end);
  if (Status connected = exchange.connect(); !connected) return failed(std::move(connected));
  if (Status sent = exchange.send(bytes); !sent) return failed(std::move(sent));
  return exchange.receive(method == "HEAD");
}

}  // namespace midonet::http
