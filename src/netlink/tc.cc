#include "netlink/tc.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "netlink/attributes.h"

namespace midonet::netlink {
namespace {

constexpr int monitor_buffer_bytes = 4 * 1024 * 1024;
constexpr std::uint32_t clsact_handle = TC_H_MAKE(TC_H_CLSACT, 0);

std::uint32_t parent(Hook hook) {
  return TC_H_MAKE(TC_H_CLSACT, hook == Hook::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

Request<tcmsg> tc_request(std::uint16_t type, unsigned flags, std::uint32_t ifindex) {
  Request<tcmsg> request(type, flags);
  request.body().tcm_ifindex = static_cast<int>(ifindex);
  return request;
}

Request<tcmsg> filter_request(std::uint16_t type, unsigned flags, const FilterPlace& place) {
  Request<tcmsg> request = tc_request(type, flags, place.ifindex);
  request.body().tcm_parent = parent(place.hook);
  request.body().tcm_handle = place.handle;
  request.body().tcm_info = TC_H_MAKE(static_cast<std::uint32_t>(place.priority) << 16, htons(ETH_P_ALL));
  mnl_attr_put_strz(request.header(), TCA_KIND, "bpf");
  return request;
}

// The body of a message about a qdisc or filter; nullptr when it is too short to be one.
const tcmsg* body_of(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(tcmsg)) return nullptr;
  return static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
}

FilterPlace place_of(const tcmsg& body) {
  return {.ifindex = static_cast<std::uint32_t>(body.tcm_ifindex),
          .hook = body.tcm_parent == parent(Hook::egress) ? Hook::egress : Hook::ingress,
          .priority = static_cast<std::uint16_t>(TC_H_MAJ(body.tcm_info) >> 16),
          .handle = body.tcm_handle};
}

std::optional<Filter> decode_filter(const nlmsghdr* message) {
  const tcmsg* body = message->nlmsg_type == RTM_NEWTFILTER ? body_of(message) : nullptr;
  if (body == nullptr) return std::nullopt;
  Filter filter{.place = place_of(*body), .kind = {}, .name = {}};
  each_attribute_of(message, sizeof(tcmsg), [&](const nlattr* attribute) {
    const auto type = mnl_attr_get_type(attribute);
    if (type == TCA_KIND) filter.kind = text_of(attribute);
    if (type != TCA_OPTIONS || filter.kind != "bpf") return;
    each_nested(attribute, [&](const nlattr* option) {
      switch (mnl_attr_get_type(option)) {
        case TCA_BPF_NAME: filter.name = text_of(option); break;
        case TCA_BPF_ID: filter.program_id = number_of(option); break;
        case TCA_BPF_FLAGS: filter.direct_action = (number_of(option) & TCA_BPF_FLAG_ACT_DIRECT) != 0; break;
        default: break;
      }
    });
  });
  return filter;
}

std::string kind_of(const nlmsghdr* message) {
  std::string kind;
  each_attribute_of(message, sizeof(tcmsg), [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == TCA_KIND) kind = text_of(attribute);
  });
  return kind;
}

const char* name(Hook hook) { return hook == Hook::ingress ? "ingress" : "egress"; }

}  // namespace

Result<std::unique_ptr<Tc>> Tc::open() {
  auto kernel = Rtnetlink::open();
  if (!kernel) return failed(kernel);
  return std::unique_ptr<Tc>(new Tc(std::move(*kernel)));
}

Result<bool> Tc::add_clsact(std::uint32_t ifindex) {
  Request<tcmsg> add = tc_request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
  add.body().tcm_parent = TC_H_CLSACT;
  add.body().tcm_handle = clsact_handle;
  mnl_attr_put_strz(add.header(), TCA_KIND, "clsact");
  const int error_number = kernel_.transact(add.header(), {});
  if (error_number == 0) return true;
  if (error_number != EEXIST) return fail_errno(error_number, "add a clsact qdisc to interface {}", ifindex);

  std::string kind;
  Request<tcmsg> get = tc_request(RTM_GETQDISC, NLM_F_ECHO, ifindex);  // else the kernel sends no answer
  get.body().tcm_parent = TC_H_CLSACT;
  const int get_error = kernel_.transact(get.header(), [&](const nlmsghdr* message) { kind = kind_of(message); });
  if (get_error != 0) return fail_errno(get_error, "look at the ingress qdisc of interface {}", ifindex);
  // An ingress qdisc would take a filter for egress too, and run it at ingress.
  if (kind != "clsact")
    return fail(Code::conflict, "add a clsact qdisc to interface {}: it has a qdisc \"{}\" in its place", ifindex,
                kind);
  return false;
}

Status Tc::remove_clsact(std::uint32_t ifindex) {
  Request<tcmsg> request = tc_request(RTM_DELQDISC, 0, ifindex);
  request.body().tcm_parent = TC_H_CLSACT;
  request.body().tcm_handle = clsact_handle;
  const int error_number = kernel_.transact(request.header(), {});
  if (error_number != 0) return fail_errno(error_number, "remove the clsact qdisc of interface {}", ifindex);
  return {};
}

Result<std::vector<std::uint32_t>> Tc::clsact_interfaces() {
  std::vector<std::uint32_t> interfaces;
  Request<tcmsg> request = tc_request(RTM_GETQDISC, NLM_F_DUMP, 0);
  const int error_number = kernel_.transact(request.header(), [&](const nlmsghdr* message) {
    const tcmsg* body = body_of(message);
    if (body != nullptr && body->tcm_parent == TC_H_CLSACT && kind_of(message) == "clsact")
      interfaces.push_back(static_cast<std::uint32_t>(body->tcm_ifindex));
  });
  // Interrupted: interfaces came or went meanwhile, and are heard of in another way. What was listed is there.
  if (error_number != 0 && error_number != EINTR) return fail_errno(error_number, "list the qdiscs");
  return interfaces;
}

Status Tc::put_filter(const FilterPlace& place, int program_fd, const std::string& filter_name, bool replace) {
  Request<tcmsg> request =
      filter_request(RTM_NEWTFILTER, static_cast<unsigned>(NLM_F_CREATE | (replace ? 0 : NLM_F_EXCL)), place);
  nlattr* options = mnl_attr_nest_start(request.header(), TCA_OPTIONS);
  mnl_attr_put_u32(request.header(), TCA_BPF_FD, static_cast<std::uint32_t>(program_fd));
  mnl_attr_put_strz(request.header(), TCA_BPF_NAME, filter_name.c_str());
  mnl_attr_put_u32(request.header(), TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  mnl_attr_nest_end(request.header(), options);
  const int error_number = kernel_.transact(request.header(), {});
  if (error_number != 0)
    return fail_errno(error_number, "add a filter at {} of interface {}", name(place.hook), place.ifindex);
  return {};
}

Status Tc::remove_filter(const FilterPlace& place) {
  const int error_number = kernel_.transact(filter_request(RTM_DELTFILTER, 0, place).header(), {});
  if (error_number != 0)
    return fail_errno(error_number, "remove the filter at {} of interface {}", name(place.hook), place.ifindex);
  return {};
}

Result<std::optional<Filter>> Tc::filter(const FilterPlace& place) {
  std::optional<Filter> found;
  const int error_number =
      kernel_.transact(filter_request(RTM_GETTFILTER, 0, place).header(), [&](const nlmsghdr* message) {
        if (auto filter = decode_filter(message)) found = std::move(filter);
      });
  // EINVAL: the interface has no qdisc to look at, or at this priority there is a filter of another kind.
  if (error_number == ENOENT || error_number == EINVAL) return std::optional<Filter>{};
  if (error_number != 0)
    return fail_errno(error_number, "look at the filter at {} of interface {}", name(place.hook), place.ifindex);
  return found;
}

Result<std::vector<Filter>> Tc::filters(std::uint32_t ifindex, Hook hook) {
  std::vector<Filter> found;
  Request<tcmsg> request = tc_request(RTM_GETTFILTER, NLM_F_DUMP, ifindex);
  request.body().tcm_parent = parent(hook);
  const int error_number = kernel_.transact(request.header(), [&](const nlmsghdr* message) {
    auto filter = decode_filter(message);
    if (filter && filter->place.handle != 0) found.push_back(std::move(*filter));  // 0: the head of a priority
  });
  if (error_number != 0) return fail_errno(error_number, "list the filters at {} of interface {}", name(hook), ifindex);
  return found;
}

Result<std::unique_ptr<TcMonitor>> TcMonitor::open() {
  auto socket = open_netlink(SOCK_NONBLOCK, RTMGRP_TC);
  if (!socket) return failed(socket);
  std::unique_ptr<TcMonitor> monitor(new TcMonitor(std::move(*socket)));
  if (::setsockopt(monitor->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &monitor_buffer_bytes, sizeof monitor_buffer_bytes) < 0)
    return fail_errno(errno, "size the buffer of a netlink socket");
  return monitor;
}

int TcMonitor::fd() const { return mnl_socket_get_fd(socket_.get()); }

bool TcMonitor::drain(std::uint32_t ours, const std::function<void(const TcEvent&)>& each) {
  alignas(nlmsghdr) std::array<char, netlink_buffer_bytes> buffer;
  bool complete = true;
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return complete;
    if (got < 0) {  // ENOBUFS: the buffer overran; a next receive works again
      if (errno != ENOBUFS) return false;
      complete = false;
      continue;
    }
    int left = static_cast<int>(got);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      const bool qdisc = message->nlmsg_type == RTM_NEWQDISC || message->nlmsg_type == RTM_DELQDISC;
      const bool filter = message->nlmsg_type == RTM_NEWTFILTER || message->nlmsg_type == RTM_DELTFILTER;
      const tcmsg* body = qdisc || filter ? body_of(message) : nullptr;
      if (body == nullptr || message->nlmsg_pid == ours) continue;
      if (qdisc && body->tcm_parent != TC_H_CLSACT) continue;
      each({.qdisc = qdisc,
            .deleted = message->nlmsg_type == RTM_DELQDISC || message->nlmsg_type == RTM_DELTFILTER,
            .place = place_of(*body)});
    }
  }
}

}  // namespace midonet::netlink
