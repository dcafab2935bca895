#include "datapath/ebpf/rtnetlink.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace midonet::datapath {
namespace {

void each_between(const char* at, const char* end, const std::function<void(const nlattr*)>& each) {
  const auto* attribute = reinterpret_cast<const nlattr*>(at);
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    each(attribute);
    attribute = mnl_attr_next(attribute);
  }
}

}  // namespace

void CloseNetlink::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<NetlinkSocket> open_netlink(int flags, unsigned groups) {
  NetlinkSocket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags));
  if (!socket) return fail_errno(errno, "open a netlink socket");
  if (mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) < 0) return fail_errno(errno, "bind a netlink socket");
  return socket;
}

Result<Rtnetlink> Rtnetlink::open() {
  auto socket = open_netlink(0, 0);
  if (!socket) return tl::unexpected(socket.error());
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

void each_attribute(const nlmsghdr* message, std::size_t header_bytes, const std::function<void(const nlattr*)>& each) {
  const std::size_t offset = MNL_ALIGN(header_bytes);
  const std::size_t length = mnl_nlmsg_get_payload_len(message);
  if (length <= offset) return;
  const char* payload = static_cast<const char*>(mnl_nlmsg_get_payload(message));
  each_between(payload + offset, payload + length, each);
}

void each_nested(const nlattr* outer, const std::function<void(const nlattr*)>& each) {
  const char* payload = static_cast<const char*>(mnl_attr_get_payload(outer));
  each_between(payload, payload + mnl_attr_get_payload_len(outer), each);
}

std::string text_of(const nlattr* attribute) {
  const char* bytes = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return std::string(bytes, strnlen(bytes, mnl_attr_get_payload_len(attribute)));
}

std::uint32_t number_of(const nlattr* attribute) {
  switch (mnl_attr_get_payload_len(attribute)) {
    case 1: return mnl_attr_get_u8(attribute);
    case 2: return mnl_attr_get_u16(attribute);
    case 4: return mnl_attr_get_u32(attribute);
    default: return 0;
  }
}

}  // namespace midonet::datapath
