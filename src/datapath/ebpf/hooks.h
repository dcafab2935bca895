// Our two hooks at an interface: from_tap at the ingress of its clsact, to_tap at the egress. Used by EbpfDatapath.
//
// What is ours, so that a restarted agent knows it and nobody else's is touched: a filter of kind bpf at `priority`
// and `handle` whose TCA_BPF_NAME is "midolman/from_tap" or "midolman/to_tap". A clsact has no name; whether we made
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
  int fd = -1;
  std::uint32_t id = 0;
};

class Hooks {
 public:
  static constexpr std::uint16_t priority = 0x4d4e;  // "MN"; lower numbers run before us
  static constexpr std::uint32_t handle = 1;

  Hooks(Tc& tc, Program from_tap, Program to_tap) : tc_(tc), from_tap_(from_tap), to_tap_(to_tap) {}

  // Reads from the kernel whether both hooks are there with the very programs that this object was made with.
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
  const Program& program(Hook hook) const { return hook == Hook::ingress ? from_tap_ : to_tap_; }

  Tc& tc_;
  Program from_tap_;
  Program to_tap_;
};

}  // namespace midonet::datapath
