#include "netlink/message.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>

#include "netlink/attributes.h"

namespace midonet::netlink {

namespace {

void link_info(const nlattr* nest, Link& link) {
  each_nested(nest, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_INFO_KIND: link.kind = text_of(attribute); break;
      case IFLA_INFO_SLAVE_KIND: link.master_kind = text_of(attribute); break;
      default: break;
    }
  });
}

std::optional<Link> read_link(const nlmsghdr* message, const ifinfomsg& header) {
  Link link;
  bool elsewhere = false;
  link.ifindex = static_cast<std::uint32_t>(header.ifi_index);
  link.hardware_type = header.ifi_type;
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.carrier = (header.ifi_flags & IFF_LOWER_UP) != 0;
  link.loopback = (header.ifi_flags & IFF_LOOPBACK) != 0;
  each_attribute_of(message, sizeof header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME: link.name = text_of(attribute); break;
      case IFLA_IFALIAS: link.alias = text_of(attribute); break;
      case IFLA_LINK: link.lower = number_of(attribute); break;
      case IFLA_LINK_NETNSID: elsewhere = true; break;
      case IFLA_MTU: link.mtu = number_of(attribute); break;
      case IFLA_MASTER: link.master = number_of(attribute); break;
      case IFLA_OPERSTATE: link.operstate = static_cast<std::uint8_t>(number_of(attribute)); break;
      case IFLA_ADDRESS:
        if (std::array<std::uint8_t, 6> bytes; mnl_attr_get_payload_len(attribute) == bytes.size()) {
          std::memcpy(bytes.data(), mnl_attr_get_payload(attribute), bytes.size());
          link.mac = Mac(bytes);
        }
        break;
      case IFLA_LINKINFO: link_info(attribute, link); break;
      default: break;
    }
  });
  if (header.ifi_index <= 0 || link.name.empty()) return {};
  if (elsewhere || link.lower == link.ifindex) link.lower = 0;
  return link;
}

std::optional<Ip> read_ip(const nlattr* attribute, std::uint8_t family) {
  const void* payload = mnl_attr_get_payload(attribute);
  const std::size_t length = mnl_attr_get_payload_len(attribute);
  if (std::array<std::uint8_t, 4> v4; family == AF_INET && length == v4.size()) {
    std::memcpy(v4.data(), payload, v4.size());
    return Ip::v4(v4);
  }
  if (std::array<std::uint8_t, 16> v6; family == AF_INET6 && length == v6.size()) {
    std::memcpy(v6.data(), payload, v6.size());
    return Ip::v6(v6);
  }
  return {};
}

// The address of this end: IFA_LOCAL where there is one (a point-to-point link has the peer's in
// IFA_ADDRESS).
std::optional<AddressIs> read_address(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifaddrmsg)) return {};
  const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  std::optional<Ip> local;
  std::optional<Ip> address;
  each_attribute_of(message, sizeof *header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFA_LOCAL: local = read_ip(attribute, header->ifa_family); break;
      case IFA_ADDRESS: address = read_ip(attribute, header->ifa_family); break;
      default: break;
    }
  });
  const std::optional<Ip> ip = local ? local : address;
  if (!ip || header->ifa_index == 0) return {};
  return AddressIs{header->ifa_index, *ip};
}

std::uint32_t mtu_of(const nlattr* metrics) {
  std::uint32_t mtu = 0;
  each_nested(metrics, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == RTAX_MTU) mtu = number_of(attribute);
  });
  return mtu;
}

std::optional<RouteIs> read_route(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return {};
  const auto* header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  Route route;
  route.is_default = header->rtm_dst_len == 0;
  route.advertised = header->rtm_protocol == RTPROT_RA;
  const auto leaves_by = [&route](std::uint32_t ifindex) {
    if (ifindex != 0) route.interfaces.insert(ifindex);
  };
  each_attribute_of(message, sizeof *header, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_OIF: leaves_by(number_of(attribute)); break;
      case RTA_PREFSRC: route.source = read_ip(attribute, header->rtm_family); break;
      case RTA_METRICS: route.mtu = mtu_of(attribute); break;
      case RTA_CACHEINFO: {
        rta_cacheinfo info{};
        if (mnl_attr_get_payload_len(attribute) < sizeof info) break;
        std::memcpy(&info, mnl_attr_get_payload(attribute), sizeof info);
        // In ticks of the C library's clock.
        if (info.rta_expires > 0)
          route.expires = std::chrono::milliseconds(std::int64_t{info.rta_expires} * 1000 / 100);
        break;
      }
      case RTA_MULTIPATH: {
        const auto* hop = static_cast<const rtnexthop*>(mnl_attr_get_payload(attribute));
        std::size_t left = mnl_attr_get_payload_len(attribute);
        while (left >= sizeof *hop && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left) {
          leaves_by(static_cast<std::uint32_t>(std::max(hop->rtnh_ifindex, 0)));
          const std::size_t step = std::min<std::size_t>(RTNH_ALIGN(hop->rtnh_len), left);
          left -= step;
          hop = reinterpret_cast<const rtnexthop*>(reinterpret_cast<const char*>(hop) + step);
        }
        break;
      }
      default: break;
    }
  });
  if (route.interfaces.empty()) return {};
  return RouteIs{std::move(route)};
}

int error_of(const nlmsghdr* message) {
  std::int32_t code = 0;
  if (mnl_nlmsg_get_payload_len(message) < sizeof code) return 0;  // an NLMSG_DONE of old kernels is empty
  std::memcpy(&code, mnl_nlmsg_get_payload(message), sizeof code);
  return code < 0 && code > -4096 ? -code : 0;
}

template <class Body>
std::vector<std::uint8_t> bytes_of(Request<Body>& request, std::uint32_t sequence) {
  request.header()->nlmsg_seq = sequence;
  const auto* begin = reinterpret_cast<const std::uint8_t*>(request.header());
  return {begin, begin + request.header()->nlmsg_len};
}

}  // namespace

bool decode(std::span<const std::uint8_t> datagram, const std::function<void(Message&&)>& each) {
  // Netlink headers are read in place, so the bytes must be aligned as recvmsg(2) into an aligned buffer gives them.
  const auto* at = datagram.data();
  std::size_t left = datagram.size();
  while (left > 0) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(at);
    // Not mnl_nlmsg_ok(): it takes a length of 2^31 and more for a negative one, and so for one that fits.
    if (left < sizeof *message || message->nlmsg_len < sizeof *message || message->nlmsg_len > left) return false;
    Message out{message->nlmsg_seq, message->nlmsg_pid, (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0, Done{0}};
    switch (message->nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return false;
        const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
        // AF_BRIDGE messages speak of a bridge's membership: there RTM_DELLINK means «left the bridge», not
        // «gone».
        if (header->ifi_family != AF_UNSPEC) break;
        if (message->nlmsg_type == RTM_DELLINK) {
          out.body = LinkGone{static_cast<std::uint32_t>(header->ifi_index)};
          each(std::move(out));
        } else if (auto link = read_link(message, *header)) {
          out.body = LinkIs{*std::move(link)};
          each(std::move(out));
        }
        break;
      }
      case RTM_NEWADDR:
      case RTM_DELADDR:
        if (const auto address = read_address(message)) {
          if (message->nlmsg_type == RTM_NEWADDR)
            out.body = *address;
          else
            out.body = AddressGone{address->ifindex, address->ip};
          each(std::move(out));
        }
        break;
      case RTM_NEWROUTE:
        if (auto route = read_route(message)) {
          out.body = *std::move(route);
          each(std::move(out));
        }
        break;
      case NLMSG_DONE:
      case NLMSG_ERROR:
        out.body = Done{error_of(message)};
        each(std::move(out));
        break;
      case NLMSG_OVERRUN: return false;
      default: break;
    }
    const std::size_t step = std::min<std::size_t>(MNL_ALIGN(message->nlmsg_len), left);
    at += step;
    left -= step;
  }
  return true;
}

std::vector<std::uint8_t> dump_links(std::uint32_t sequence) {
  Request<ifinfomsg> request(RTM_GETLINK, NLM_F_DUMP);
  mnl_attr_put_u32(request.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return bytes_of(request, sequence);
}

std::vector<std::uint8_t> dump_addresses(std::uint32_t sequence) {
  Request<ifaddrmsg> request(RTM_GETADDR, NLM_F_DUMP);
  return bytes_of(request, sequence);
}

std::vector<std::uint8_t> get_route(std::uint32_t sequence, const Destination& to, bool rule) {
  Request<rtmsg> request(RTM_GETROUTE, 0);
  rtmsg& header = request.body();
  header.rtm_family = to.ip.is_v4() ? AF_INET : AF_INET6;
  header.rtm_dst_len = static_cast<std::uint8_t>(8 * to.ip.bytes().size());
  if (rule) header.rtm_flags = RTM_F_FIB_MATCH;
  mnl_attr_put(request.header(), RTA_DST, to.ip.bytes().size(), to.ip.bytes().data());
  if (to.from && to.from->is_v4() == to.ip.is_v4()) {
    header.rtm_src_len = header.rtm_dst_len;
    mnl_attr_put(request.header(), RTA_SRC, to.from->bytes().size(), to.from->bytes().data());
  }
  return bytes_of(request, sequence);
}

}  // namespace midonet::netlink
