// The tc objects that the datapath needs, over rtnetlink: the clsact qdisc of an interface and the cls_bpf filters at
// its two hooks. Used by hooks.h. It does not know which objects are ours; mechanism only.
//
// libbpf's bpf_tc_* are not used: they open a socket per call, cannot list other filters at a hook, and their requests carry no port id
// that tells our own changes from others' in the kernel's notifications.
//
// Requests block until the kernel has answered (rtnetlink.h). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "netlink/rtnetlink.h"

namespace midonet::netlink {

enum class Hook { ingress, egress };

// Where a filter hangs. Priority and handle name it within its hook.
struct FilterPlace {
  std::uint32_t ifindex = 0;
  Hook hook = Hook::ingress;
  std::uint16_t priority = 0;
  std::uint32_t handle = 0;
  bool operator==(const FilterPlace&) const = default;
};

struct Filter {
  FilterPlace place;
  std::string kind;              // "bpf", "u32", "matchall" …
  std::string name;              // of a bpf filter: the name that its maker gave (TCA_BPF_NAME)
  std::uint32_t program_id = 0;  // of a bpf filter
  bool direct_action = false;    // of a bpf filter: the program's return value is the verdict
};

// A qdisc or filter that a program made, changed or deleted.
struct TcEvent {
  bool qdisc = false;  // else a filter
  bool deleted = false;
  FilterPlace place;  // for a qdisc its ifindex alone
};

class Tc {
 public:
  // Talks to the network namespace that the calling thread is in.
  static Result<std::unique_ptr<Tc>> open();

  // True: made. False: the interface has a clsact already. Code::conflict: it has an ingress qdisc, which excludes a
  // clsact. Code::not_found: there is no such interface.
  Result<bool> add_clsact(std::uint32_t ifindex);
  Status remove_clsact(std::uint32_t ifindex);
  // All interfaces that have a clsact.
  Result<std::vector<std::uint32_t>> clsact_interfaces();

  // `replace` swaps the program of the filter that is there (no frame passes between); otherwise Code::conflict when
  // the place is taken.
  Status put_filter(const FilterPlace& place, int program_fd, const std::string& name, bool replace);
  Status remove_filter(const FilterPlace& place);
  Result<std::optional<Filter>> filter(const FilterPlace& place);
  Result<std::vector<Filter>> filters(std::uint32_t ifindex, Hook hook);

  // The sender that the kernel's notifications name for changes of this object.
  std::uint32_t port_id() const { return kernel_.port_id(); }

 private:
  explicit Tc(Rtnetlink kernel) : kernel_(std::move(kernel)) {}

  Rtnetlink kernel_;
};

// Notices changes of qdiscs and filters in this network namespace, by any program.
class TcMonitor {
 public:
  static Result<std::unique_ptr<TcMonitor>> open();

  int fd() const;
  // Takes all waiting notifications, without blocking, and hands over those of other sockets than that with port id `ours`.
  // False when notifications were lost: anything may have happened.
  bool drain(std::uint32_t ours, const std::function<void(const TcEvent&)>& each);

 private:
  explicit TcMonitor(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace midonet::netlink
