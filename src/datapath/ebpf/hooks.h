// Our programs at an interface: from_tap at the ingress of a tap and to_tap at its egress; from_tunnel at the ingress of the
// tunnel device. Used by EbpfDatapath.
//
// Two ways to attach them (ADR 16). These marks tell a restarted agent which objects are ours; others are not touched:
//
//   tcx     from Linux 6.6 on: a link, pinned as LINKS/IFINDEX-ingress or LINKS/IFINDEX-egress. It stands first at its hook when
//           it is made, and before every tc filter.
//   clsact  a filter of kind bpf at `priority` and `handle` whose TCA_BPF_NAME is "midolman/" and the name of its program. A
//           clsact qdisc has no name; whether we made it is kept in the port's map entry (port_owns_clsact). It goes with
//           the port if we made it and no other program has filters there meanwhile.
//
// Filters are the rule, since a link takes the kernel longer to make. An interface gets links where filters would not do: where
// another program runs before them, or an ingress qdisc or a filter of another program stands in their place. It keeps
// them until it is detached.
//
// An interface that changes from one way to the other has both for a moment; frames pass all the time, since to_tap leaves its
// mark on a frame for a to_tap behind it.
//
// An interface that is gone (Code::not_found) has no hooks any more: that is no failure of detach().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "netlink/tc.h"

namespace midonet::datapath {

using netlink::Filter;
using netlink::FilterPlace;
using netlink::Hook;
using netlink::Tc;
using netlink::TcEvent;

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

  enum class Way { clsact, tcx };
  static const char* name(std::optional<Way> way) { return !way ? "auto" : *way == Way::tcx ? "tcx" : "clsact"; }
  struct Settings {
    std::optional<Way> way = Way::clsact;  // for all interfaces; nothing: as each of them needs it
    bool kernel_has_tcx = false;           // else only clsact works
    std::string links;                     // the folder of the pins
  };

  // What hangs at interfaces of one sort; at egress nothing, perhaps.
  Hooks(Tc& tc, Settings settings, Program ingress, std::optional<Program> egress)
      : tc_(tc), settings_(std::move(settings)), ingress_(ingress), egress_(egress) {}

  struct Standing {
    bool complete = false;  // the hooks are there with the very programs that this object was made with
    // The program of another owner that sees frames before our programs do; empty if there is none.
    std::string before;
  };
  // Reads it from the kernel, and settles which way the interface needs.
  Result<Standing> look(std::uint32_t ifindex);

  // Makes the clsact if one is needed and there is none. Returns whether it is ours; `recorded` is the port's entry about that.
  // Code::not_found: there is no such interface. Code::conflict: another program's filter stands in our place at either hook, or an
  // ingress qdisc, and links may not be used.
  Result<bool> prepare(std::uint32_t ifindex, std::optional<bool> recorded);

  // After prepare(): puts our program in place, atomically where an older one of ours is there.
  Status attach(std::uint32_t ifindex, Hook hook);

  // After both were attached: what an agent that used the other way has left there goes. A clsact stays until the port goes:
  // to add or remove a qdisc the kernel stops the queues of the interface, and frames are lost.
  Status finish(std::uint32_t ifindex);

  // Of either way. Without a record the clsact is taken for ours when it has filters of ours and no others.
  Status detach(std::uint32_t ifindex, std::optional<bool> owns_clsact);

  // Interfaces with hooks of ours other than those that `known` says yes to; in `filters` those with filters of ours that
  // are to be links, also known ones.
  struct Stray {
    std::uint32_t ifindex = 0;
    bool filters = false;  // the filters alone are too much
  };
  Result<std::vector<Stray>> strays(const std::function<bool(std::uint32_t)>& known);
  Status detach_filters(std::uint32_t ifindex, std::optional<bool> owns_clsact);

  // Whether a notification is about a place of ours, or one before it, on an interface that we use.
  bool concerns(const TcEvent& event) const;
  // Whether nothing of others stands before our programs at the tcx hooks, and ours are there: as look(), with less effort.
  Result<bool> first(std::uint32_t ifindex) const;
  // The interface of a pin in LINKS; nothing for an interface that uses none.
  std::optional<std::uint32_t> linked(std::string_view pin) const;

 private:
  const Program* program(Hook hook) const {
    if (hook == Hook::ingress) return &ingress_;
    return egress_ ? &*egress_ : nullptr;
  }
  // What stands at one hook of an interface.
  struct Links {
    bool ours = false, current = false;  // current: with our program
    std::string before, any;             // programs of other owners: the first one before ours, the first one
  };
  struct Filters {
    bool current = false;
    std::string before;
  };
  Way way(std::uint32_t ifindex) const {
    return settings_.way.value_or(linked_.contains(ifindex) ? Way::tcx : Way::clsact);
  }
  static std::optional<std::uint32_t> interface_of(std::string_view pin);
  std::string pin(std::uint32_t ifindex, Hook hook) const;
  Result<Links> look_at_links(std::uint32_t ifindex, Hook hook) const;
  Result<bool> make_clsact(std::uint32_t ifindex, std::optional<bool> recorded);
  Result<Filters> look_at_filters(std::uint32_t ifindex, Hook hook);
  void use_links(std::uint32_t ifindex, const std::string& why);
  Status attach_link(std::uint32_t ifindex, Hook hook) const;
  Status attach_filter(std::uint32_t ifindex, Hook hook);
  Status detach_links(std::uint32_t ifindex) const;

  Tc& tc_;
  Settings settings_;
  Program ingress_;
  std::optional<Program> egress_;
  std::unordered_set<std::uint32_t> linked_;  // interfaces that use links where it is up to us
};

}  // namespace midonet::datapath
