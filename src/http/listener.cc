#include "http/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>

namespace midonet::http {

namespace {

constexpr int backlog = 4096;

// The one place where the kernel's socket addresses are cast.
sockaddr* generic(sockaddr_storage& storage) { return reinterpret_cast<sockaddr*>(&storage); }

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Address address_of(const Endpoint& endpoint) {
  Address address;
  const auto bytes = endpoint.ip.bytes();
  if (endpoint.ip.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&address.storage, &in, sizeof in);
    address.length = sizeof in;
  } else {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    std::memcpy(&in6.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&address.storage, &in6, sizeof in6);
    address.length = sizeof in6;
  }
  return address;
}

Endpoint endpoint_of(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return {Ip::v4(bytes), ntohs(in.sin_port)};
  }
  sockaddr_in6 in6{};
  std::memcpy(&in6, &storage, sizeof in6);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
  return {Ip::v6(bytes), ntohs(in6.sin6_port)};
}

bool is_mapped_v4(std::span<const std::uint8_t> bytes) {
  static constexpr std::array<std::uint8_t, 12> prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return bytes.size() == 16 && std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

}  // namespace

Result<Endpoint> Endpoint::parse(const std::string& text) {
  const auto bad = [&] {
    return fail(Code::invalid, "'{}' is not an address to listen on: write 127.0.0.1:8181 or [::1]:8181", text);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const Result<Ip> ip = Ip::parse(host);
  if (!ip || ip->is_v4() == bracketed) return bad();
  Endpoint endpoint{*ip, 0};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc{} || stop != end) return bad();
  return endpoint;
}

bool Endpoint::is_loopback() const {
  const auto bytes = ip.bytes();
  if (ip.is_v4()) return bytes[0] == 127;
  if (is_mapped_v4(bytes)) return bytes[12] == 127;
  return bytes.back() == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; });
}

std::string Endpoint::to_string() const {
  return ip.is_v4() ? fmt::format("{}:{}", ip, port) : fmt::format("[{}]:{}", ip, port);
}

std::string Endpoint::client() const {
  const auto bytes = ip.bytes();
  if (ip.is_v4()) return fmt::format("{}", ip);
  if (is_mapped_v4(bytes)) return fmt::format("{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
  std::array<std::uint8_t, 16> network{};
  std::copy_n(bytes.begin(), 8, network.begin());
  return fmt::format("{}", Ip::v6(network));
}

Result<UniqueFd> listen_tcp_socket(const Endpoint& endpoint) {
  const std::string what = "listen on " + endpoint.to_string();
  Address address = address_of(endpoint);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "{}", what);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit these (tcp(7)): answers leave at once; a peer that vanished is found out one day.
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (::bind(fd.get(), generic(address.storage), address.length) < 0 || ::listen(fd.get(), backlog) < 0)
    return fail_errno(errno, "{}", what);
  return fd;
}

Result<Endpoint> bound_endpoint(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(socket, generic(storage), &length) < 0) return fail_errno(errno, "getsockname");
  return endpoint_of(storage);
}

namespace {

// Whether a process accepts connections on this socket file.
bool is_live(const Address& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  Address copy = address;
  if (::connect(probe.get(), generic(copy.storage), copy.length) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;  // EAGAIN: its backlog is full
}

}  // namespace

Result<UniqueFd> listen_unix_socket(const std::string& path, unsigned mode) {
  const std::string what = "listen on " + path;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path)
    return fail(Code::invalid, "{}: a socket's path has 1 to {} bytes", what, sizeof un.sun_path - 1);
  std::memcpy(un.sun_path, path.data(), path.size());
  Address address;
  std::memcpy(&address.storage, &un, sizeof un);
  address.length = sizeof un;

  // Two processes that find the same stale file must not remove each other's fresh one.
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const UniqueFd folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_fd) return fail_errno(errno, "{}", what);
  if (::flock(folder_fd.get(), LOCK_EX | LOCK_NB) < 0)
    return fail(Code::conflict, "{}: another process is just starting to listen in {}", what, folder);

  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "{}", what);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return fail(Code::conflict, "{}: the file is there and is not a socket", what);
    if (is_live(address)) return fail(Code::conflict, "{}: another process listens there", what);
    if (::unlink(path.c_str()) < 0 && errno != ENOENT) return fail_errno(errno, "{}: remove the stale socket", what);
  }
  if (::bind(fd.get(), generic(address.storage), address.length) < 0) return fail_errno(errno, "{}", what);
  // No client can connect between bind and listen, so the mode is right from the first connection on.
  if (::chmod(path.c_str(), mode) < 0 || ::listen(fd.get(), backlog) < 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return fail_errno(error, "{}", what);
  }
  return fd;
}

Accepted accept_from(int listener) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int fd = ::accept4(listener, generic(storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return {UniqueFd(), errno};
  const bool internet = storage.ss_family == AF_INET || storage.ss_family == AF_INET6;
  if (!internet) return {UniqueFd(fd), 0, "unix", "unix"};
  const Endpoint peer = endpoint_of(storage);
  return {UniqueFd(fd), 0, peer.to_string(), peer.client()};
}

}  // namespace midonet::http
