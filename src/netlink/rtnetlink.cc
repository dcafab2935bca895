#include "netlink/rtnetlink.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <utility>

namespace midonet::netlink {
void CloseNetlink::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<NetlinkSocket> open_netlink(int flags, unsigned groups) {
  NetlinkSocket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags));
  if (!socket) return fail_errno(errno, "open a netlink socket");
  if (mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) < 0) return fail_errno(errno, "bind a netlink socket");
  return socket;
}

Result<Rtnetlink> Rtnetlink::open() {
  auto socket = open_netlink(0, 0);
  if (!socket) return failed(socket);
  const timeval limit{.tv_sec = deadline.count(), .tv_usec = 0};
  if (::setsockopt(mnl_socket_get_fd(socket->get()), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
    return fail_errno(errno, "set the deadline of a netlink socket");
  return Rtnetlink(std::move(*socket));
}

std::uint32_t Rtnetlink::port_id() const { return mnl_socket_get_portid(socket_.get()); }

int Rtnetlink::transact(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& each) {
  const bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (!dump) request->nlmsg_flags |= NLM_F_ACK;
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0) return errno;
  alignas(nlmsghdr) std::array<char, netlink_buffer_bytes> buffer;
  bool interrupted = false;
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    int left = static_cast<int>(got);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence_) continue;  // the late answer to a request that timed out
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (message->nlmsg_type == NLMSG_DONE) return interrupted ? EINTR : 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        if (mnl_nlmsg_get_payload_len(message) < sizeof(int)) return EBADMSG;
        return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      }
      if (each) each(message);
    }
  }
}

}  // namespace midonet::netlink
