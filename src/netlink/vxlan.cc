#include "netlink/vxlan.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "netlink/attributes.h"

namespace midonet::netlink {
namespace {

Request<ifinfomsg> link_request(std::uint16_t type, unsigned flags, std::uint32_t ifindex = 0) {
  Request<ifinfomsg> request(type, flags);
  request.body().ifi_index = static_cast<int>(ifindex);
  return request;
}

void read_vxlan(const nlattr* data, VxlanLink& link) {
  each_nested(data, [&](const nlattr* attribute) {
    const std::uint32_t value = number_of(attribute);
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_VXLAN_PORT: link.udp_port = ntohs(static_cast<std::uint16_t>(value)); break;
      case IFLA_VXLAN_COLLECT_METADATA: link.collect_metadata = value != 0; break;
      case IFLA_VXLAN_LEARNING: link.learning = value != 0; break;
      case IFLA_VXLAN_UDP_ZERO_CSUM6_RX: link.takes_zero_checksum6 = value != 0; break;
      default: break;
    }
  });
}

std::optional<VxlanLink> read_link(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return std::nullopt;
  const auto* body = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  VxlanLink link;
  link.ifindex = static_cast<std::uint32_t>(body->ifi_index);
  link.up = (body->ifi_flags & IFF_UP) != 0;
  link.ethernet = body->ifi_type == ARPHRD_ETHER;
  each_attribute_of(message, sizeof(ifinfomsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME: link.name = text_of(attribute); break;
      case IFLA_IFALIAS: link.alias = text_of(attribute); break;
      case IFLA_MTU: link.mtu = number_of(attribute); break;
      case IFLA_MASTER: link.master = number_of(attribute); break;
      case IFLA_ADDRESS:
        if (std::array<std::uint8_t, 6> bytes; mnl_attr_get_payload_len(attribute) == bytes.size()) {
          std::memcpy(bytes.data(), mnl_attr_get_payload(attribute), bytes.size());
          link.mac = Mac(bytes);
        }
        break;
      case IFLA_LINKINFO:
        each_nested(attribute, [&](const nlattr* info) {
          const auto type = mnl_attr_get_type(info);
          if (type == IFLA_INFO_KIND) link.kind = text_of(info);
          if (type == IFLA_INFO_DATA && link.kind == "vxlan") read_vxlan(info, link);
        });
        break;
      default: break;
    }
  });
  return link;
}

Result<std::optional<VxlanLink>> get(Rtnetlink& kernel, Request<ifinfomsg>& request, const std::string& what) {
  mnl_attr_put_u32(request.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  std::optional<VxlanLink> found;
  const int error_number =
      kernel.transact(request.header(), [&](const nlmsghdr* message) { found = read_link(message); });
  if (error_number == ENODEV) return std::optional<VxlanLink>{};
  if (error_number != 0) return fail_errno(error_number, "look at {}", what);
  return found;
}

}  // namespace

Result<VxlanLinks> VxlanLinks::open() {
  auto kernel = Rtnetlink::open();
  if (!kernel) return failed(kernel);
  return VxlanLinks(std::move(*kernel));
}

Result<std::optional<VxlanLink>> VxlanLinks::find(const std::string& name) {
  Request<ifinfomsg> request = link_request(RTM_GETLINK, 0);
  mnl_attr_put_strz(request.header(), IFLA_IFNAME, name.c_str());
  return get(kernel_, request, name);
}

Result<std::optional<VxlanLink>> VxlanLinks::find(std::uint32_t ifindex) {
  Request<ifinfomsg> request = link_request(RTM_GETLINK, 0, ifindex);
  return get(kernel_, request, fmt::format("interface {}", ifindex));
}

Result<std::vector<VxlanLink>> VxlanLinks::all() {
  // Interrupted: links came or went while the kernel listed them. It is asked again, a few times.
  int error_number = EINTR;
  std::vector<VxlanLink> all;
  for (int i = 0; i < 10 && error_number == EINTR; i++) {
    all.clear();
    Request<ifinfomsg> request = link_request(RTM_GETLINK, NLM_F_DUMP);
    mnl_attr_put_u32(request.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    nlattr* info = mnl_attr_nest_start(request.header(), IFLA_LINKINFO);
    mnl_attr_put_str(request.header(), IFLA_INFO_KIND, "vxlan");  // the kernel leaves the others out
    mnl_attr_nest_end(request.header(), info);
    error_number = kernel_.transact(request.header(), [&](const nlmsghdr* message) {
      auto link = read_link(message);
      if (link && link->kind == "vxlan") all.push_back(std::move(*link));
    });
  }
  // Still: with so much going on elsewhere, what was listed has to do.
  if (error_number != 0 && error_number != EINTR) return fail_errno(error_number, "list the VXLAN devices");
  return all;
}

Status VxlanLinks::add(const std::string& name, std::uint16_t udp_port, const Mac& mac, std::uint32_t mtu) {
  Request<ifinfomsg> request = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  nlmsghdr* header = request.header();
  mnl_attr_put_strz(header, IFLA_IFNAME, name.c_str());
  mnl_attr_put(header, IFLA_ADDRESS, mac.bytes().size(), mac.bytes().data());
  mnl_attr_put_u32(header, IFLA_MTU, mtu);
  nlattr* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_str(header, IFLA_INFO_KIND, "vxlan");
  nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
  mnl_attr_put_u8(header, IFLA_VXLAN_COLLECT_METADATA, 1);
  mnl_attr_put_u8(header, IFLA_VXLAN_LEARNING, 0);
  mnl_attr_put_u16(header, IFLA_VXLAN_PORT, htons(udp_port));
  // RFC 6935: a sender may leave it out. Ours does not.
  mnl_attr_put_u8(header, IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 1);
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, info);
  const int error_number = kernel_.transact(header, {});
  if (error_number != 0) return fail_errno(error_number, "make the VXLAN device {} at UDP port {}", name, udp_port);
  return {};
}

Status VxlanLinks::set_alias(std::uint32_t ifindex, const std::string& alias) {
  Request<ifinfomsg> request = link_request(RTM_SETLINK, 0, ifindex);
  mnl_attr_put(request.header(), IFLA_IFALIAS, alias.size(), alias.data());
  const int error_number = kernel_.transact(request.header(), {});
  if (error_number != 0) return fail_errno(error_number, "mark interface {} as \"{}\"", ifindex, alias);
  return {};
}

Status VxlanLinks::set_mtu(std::uint32_t ifindex, std::uint32_t mtu) {
  Request<ifinfomsg> request = link_request(RTM_SETLINK, 0, ifindex);
  mnl_attr_put_u32(request.header(), IFLA_MTU, mtu);
  const int error_number = kernel_.transact(request.header(), {});
  if (error_number != 0) return fail_errno(error_number, "set the MTU of interface {} to {}", ifindex, mtu);
  return {};
}

Status VxlanLinks::set_up(std::uint32_t ifindex) {
  Request<ifinfomsg> quiet = link_request(RTM_SETLINK, 0, ifindex);
  nlattr* families = mnl_attr_nest_start(quiet.header(), IFLA_AF_SPEC);
  nlattr* ipv6 = mnl_attr_nest_start(quiet.header(), AF_INET6);
  mnl_attr_put_u8(quiet.header(), IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(quiet.header(), ipv6);
  mnl_attr_nest_end(quiet.header(), families);
  const int quiet_error = kernel_.transact(quiet.header(), {});
  if (quiet_error != 0 && quiet_error != EAFNOSUPPORT)  // which means that there is no IPv6 on it anyway
    return fail_errno(quiet_error, "keep IPv6 addresses from interface {}", ifindex);

  Request<ifinfomsg> request = link_request(RTM_SETLINK, 0, ifindex);
  request.body().ifi_flags = IFF_UP;
  request.body().ifi_change = IFF_UP;
  const int error_number = kernel_.transact(request.header(), {});
  if (error_number != 0) return fail_errno(error_number, "set interface {} up", ifindex);
  return {};
}

Status VxlanLinks::remove(std::uint32_t ifindex) {
  const int error_number = kernel_.transact(link_request(RTM_DELLINK, 0, ifindex).header(), {});
  if (error_number != 0 && error_number != ENODEV) return fail_errno(error_number, "delete interface {}", ifindex);
  return {};
}

Result<std::unique_ptr<LinkWatch>> LinkWatch::open(Loop& loop, std::function<void()> changed) {
  auto socket = open_netlink(SOCK_NONBLOCK, 0);
  if (!socket) return failed(socket);
  std::unique_ptr<LinkWatch> watch(new LinkWatch(std::move(*socket), std::move(changed)));
  // The filter comes before the membership: no other link's change wakes us.
  if (auto none = watch->follow(0); !none) return failed(none);
  const int fd = mnl_socket_get_fd(watch->socket_.get());
  const int group = RTNLGRP_LINK;
  if (::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return fail_errno(errno, "join the netlink group of links");
  watch->watch_ = loop.on_readable(fd, [self = watch.get()] { self->drain(); });
  return watch;
}

Status LinkWatch::follow(std::uint32_t ifindex) {
  if (followed_ == ifindex && ifindex != 0) return {};
  // A load of 32 bits takes them for the network's order.
  std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(nlmsghdr) + offsetof(ifinfomsg, ifi_index)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(ifindex), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  if (::setsockopt(mnl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return fail_errno(errno, "watch interface {}", ifindex);
  followed_ = ifindex;
  return {};
}

void LinkWatch::drain() {
  alignas(nlmsghdr) std::array<char, netlink_buffer_bytes> buffer;
  // The content does not matter: the receiver looks at the interface. A lost notification (ENOBUFS) means the same.
  while (mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size()) >= 0 || errno == EINTR || errno == ENOBUFS) {
  }
  changed_();
}

}  // namespace midonet::netlink
