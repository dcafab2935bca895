// Our hooks at an interface's clsact: from_tap at the ingress of a tap and to_tap at its egress; from_tunnel at the ingress
// of the tunnel device. Used by EbpfDatapath.
//
// What is ours, so that a restarted agent knows it and nobody else's is touched: a filter of kind bpf at `priority`
// and `handle` whose TCA_BPF_NAME is "midolman/" and the name of its program. A clsact has no name; whether we made
// it is kept in the port's map entry (port_owns_clsact). It goes with the port if we made it and nobody else has
// filters there meanwhile.
//
// An interface that is gone (Code::not_found) has no hooks any more: that is no failure of detach().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "datapath/ebpf/tc.h"

namespace midonet::datapath {

// A loaded program, open elsewhere.
struct Program {
  const char* name = "";
  int fd = -1;
  std::uint32_t id = 0;
};

class Hooks {
 public:
  static constexpr std::uint16_t priority = 0x4d4e;  // "MN"; lower numbers run before us
  static constexpr std::uint32_t handle = 1;

  // What hangs at interfaces of one sort; at egress nothing, perhaps.
  Hooks(Tc& tc, Program ingress, std::optional<Program> egress) : tc_(tc), ingress_(ingress), egress_(egress) {}

  // Reads from the kernel whether the hooks are there with the very programs that this object was made with.
  Result<bool> complete(std::uint32_t ifindex);

  // Makes the clsact if there is none. Says whether it is ours; `recorded` is what the port's entry says of it.
  // Code::conflict when somebody else's filter stands in our place at either hook, or an ingress qdisc.
  Result<bool> prepare(std::uint32_t ifindex, std::optional<bool> recorded);

  // After prepare(): puts our program in place, atomically where an older one of ours is there.
  Status attach(std::uint32_t ifindex, Hook hook);

  Status detach(std::uint32_t ifindex, bool owns_clsact);

  // Interfaces with a filter of ours other than those that `known` says yes to, and whether nobody else has one there.
  struct Stray {
    std::uint32_t ifindex = 0;
    bool alone = false;
  };
  Result<std::vector<Stray>> strays(const std::function<bool(std::uint32_t)>& known);

  // Whether a notification is about a place of ours on an interface that we use.
  static bool concerns(const TcEvent& event);

 private:
  const Program* program(Hook hook) const {
    if (hook == Hook::ingress) return &ingress_;
    return egress_ ? &*egress_ : nullptr;
  }

  Tc& tc_;
  Program ingress_;
  std::optional<Program> egress_;
};

}  // namespace midonet::datapath
