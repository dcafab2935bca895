#include "netlink/socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace midonet::netlink {

namespace {
// The kernel makes pieces of a dump as large as the largest buffer that it has seen on the socket, up to 32
// KiB.
constexpr std::size_t datagram_bytes = std::size_t{64} * 1024;
}  // namespace

Result<Socket> Socket::open(std::span<const int> groups, int buffer_bytes) {
  Socket out;
  out.fd_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!out.fd_) return fail_errno(errno, "open an rtnetlink socket");
  const int fd = out.fd_.get();
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);

  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, "bind an rtnetlink socket");
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return fail_errno(errno, "read the port of an rtnetlink socket");
  out.port_ = address.nl_pid;
  for (const int group : groups)
    if (::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      return fail_errno(errno, "join rtnetlink group {}", group);
  out.buffer_.resize(datagram_bytes);
  return out;
}

Status Socket::send(std::span<const std::uint8_t> request) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent =
      ::sendto(fd_.get(), request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent < 0) return fail_errno(errno, "send an rtnetlink request");
  return {};
}

Result<Socket::Received> Socket::receive() {
  for (;;) {
    sockaddr_nl from{};
    iovec room{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(fd_.get(), &message, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Received{};
      if (errno == ENOBUFS) return Received{{}, true};
      return fail_errno(errno, "read from an rtnetlink socket");
    }
    if (from.nl_pid != 0) continue;  // not from the kernel
    return Received{{buffer_.data(), static_cast<std::size_t>(got)}, (message.msg_flags & MSG_TRUNC) != 0};
  }
}

}  // namespace midonet::netlink
