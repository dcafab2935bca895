// EbpfDatapath and the interfaces of ports: their hooks, what stands before these, and taps that stay closed after their port.
#include <algorithm>

#include "base/log.h"
#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/round.h"
#include "datapath/ebpf/tcx.h"

namespace midonet::datapath {
namespace {

constexpr int drain_every = 64;  // interfaces between two looks at the notifications

}  // namespace

void EbpfDatapath::prepare_interfaces(Round& round) {
  int count = 0;
  for (const PortSpec* port : round.ports) {
    const PortSpec& spec = *port;
    const Uuid& id = spec.id;
    if (spec.ifindex == 0 || hooked_.contains(spec.ifindex)) continue;
    if (++count % drain_every == 0 && drift_) drift_->drain();
    const auto known = known_.ports.find(spec.ifindex);
    const bool recorded = known != known_.ports.end();
    const auto standing = hooks_.look(spec.ifindex);
    if (standing) note_standing(spec.ifindex, spec.interface, *standing);
    if (standing && standing->complete && recorded) {
      hooked_.insert(spec.ifindex);
      continue;
    }
    const bool owned = recorded && (known->second.flags & abi::port_owns_clsact) != 0;
    const Result<bool> owns = standing
                                  ? hooks_.prepare(spec.ifindex, recorded ? std::optional<bool>(owned) : std::nullopt)
                                  : tl::unexpected(standing.error());
    if (!owns) {
      const Error error{owns.error().code, fmt::format("plug {}: {}", spec.interface, owns.error().message)};
      round.fail_port(id, spec.ifindex, error);
      // Without the interface, or when another program holds our place, there is nothing to keep. Any other failure leaves a plugged
      // port as it is, since its meaning is not known.
      if (error.code == Code::not_found || error.code == Code::conflict) round.circumstances.unusable.insert(id);
      continue;
    }
    round.circumstances.owns_clsact.insert_or_assign(spec.ifindex, *owns);
    round.to_hook.push_back({.ifindex = spec.ifindex, .id = id, .known = recorded});
  }
}

void EbpfDatapath::attach(Round& round, Hook hook) {
  int count = 0;
  for (const auto& [ifindex, id, known] : round.to_hook) {
    if (round.failed.contains(id)) continue;
    if (++count % drain_every == 0 && drift_) drift_->drain();
    if (auto attached = hooks_.attach(ifindex, hook); !attached) round.fail_port(id, ifindex, attached.error());
  }
}

void EbpfDatapath::confirm_hooks(Round& round) {
  for (const auto& [ifindex, id, known] : round.to_hook) {
    if (round.failed.contains(id)) continue;
    const auto standing = hooks_.look(ifindex);
    if (!standing || !standing->complete) {
      round.fail_port(
          id, ifindex,
          standing ? Error{Code::unavailable,
                           fmt::format("attach to interface {}: the hooks were not there when read back", ifindex)}
                   : standing.error());
      continue;
    }
    note_standing(ifindex, round.desired.ports.at(id).interface, *standing);
    hooked_.insert(ifindex);
    if (!known) continue;
    if (const auto finished = hooks_.finish(ifindex); !finished) round.errors.push_back(finished.error());
  }
}

void EbpfDatapath::note_standing(std::uint32_t ifindex, const std::string& interface, const Hooks::Standing& standing) {
  if (standing.before.empty()) {
    before_.erase(ifindex);
  } else {
    before_[ifindex] =
        fmt::format("{}: {} runs before the datapath's: frames may bypass the bridge, or get to the host", interface,
                    standing.before);
  }
}

// The kernel sends no event when another program is attached to a tcx hook: the hooks are looked at from time to time.
void EbpfDatapath::look_later() {
  if (!tcx::supported() || look_timer_.armed()) return;
  if (hooked_.empty() && closed_.empty() && known_.tunnel.ifindex == 0) return;
  look_timer_ = loop_.after(look_every_, [this] {
    const auto differs = [&](std::uint32_t ifindex) {
      const auto first = hooks_.first(ifindex);
      return first && *first == before_.contains(ifindex);
    };
    std::optional<std::uint32_t> found;
    if (const auto port = std::find_if(hooked_.begin(), hooked_.end(), differs); port != hooked_.end()) found = *port;
    if (const auto tap = std::find_if(closed_.begin(), closed_.end(), differs); tap != closed_.end()) found = *tap;
    const auto device = known_.tunnel.ifindex != 0 ? tunnel_hooks_.first(known_.tunnel.ifindex) : Result<bool>(true);
    if (!stale_ && found) {
      drifted(fmt::format("the programs at the tcx hooks of interface {} were changed", *found));
    } else if (!stale_ && device && !*device && !tunnel_preceded_) {
      drifted("the programs at the tcx hook of the tunnel device were changed");
    }
    look_later();
  });
}

// Whether what stood before our hooks still does: the kernel does not tell when it goes.
void EbpfDatapath::look_before() {
  for (auto at = before_.begin(); at != before_.end();) {
    const auto standing = hooks_.look(at->first);
    const bool ours = known_.ports.contains(at->first) || closed_.contains(at->first);
    if (!standing || standing->before.empty() || !ours) {
      at = before_.erase(at);
    } else {
      ++at;
    }
  }
}

void EbpfDatapath::remove_ports(Round& round) {
  const Maps& maps = objects_->maps();
  int count = 0;
  for (const std::uint32_t ifindex : round.delta.ports_gone) {
    if (++count % drain_every == 0 && drift_) drift_->drain();
    const abi::port port = known_.ports.at(ifindex);
    if (const auto removed = maps.ports.remove(ifindex); !removed) {
      round.fail_bridge(port.vni, removed.error());
      continue;
    }
    close_or_detach(round, ifindex, (port.flags & abi::port_owns_clsact) != 0);
    // After the hooks, so that nothing is learned behind our back. What a program that was just running on another CPU
    // still adds leads nowhere (fdb_find in fdb.h).
    forget_learned(ifindex, port.vni);
    forget_counts(ifindex);
    // The tunnel device was plugged as if it were a tap: its own hook went with those.
    if (ifindex == known_.tunnel.ifindex) {
      if (const auto again = hook_tunnel(ifindex); !again) {
        round.errors.push_back(again.error());
        stale_ = true;
      }
    }
    if (const auto removed = maps.rings.remove(ifindex); !removed) round.errors.push_back(removed.error());
    known_.ports.erase(ifindex);
    hooked_.erase(ifindex);
  }
}

void EbpfDatapath::remove_strays(Round& round) {
  const auto strays = hooks_.strays([&](std::uint32_t ifindex) {
    return known_.ports.contains(ifindex) || round.failed_interfaces.contains(ifindex) ||
           ifindex == known_.tunnel.ifindex;
  });
  if (!strays) {
    round.errors.push_back(strays.error());
    stale_ = true;
    return;
  }
  // Those that are closed already are among them, or have lost hooks: they are looked at again.
  std::set<std::uint32_t> portless = closed_;
  for (const auto& stray : *strays) {
    if (!stray.filters) {
      portless.insert(stray.ifindex);
      continue;
    }
    log::info("detach from interface {}: it carries filters of an earlier version", stray.ifindex);
    if (const auto detached = hooks_.detach_filters(stray.ifindex, false); !detached) {
      round.errors.push_back(detached.error());
      stale_ = true;
    }
  }
  for (const std::uint32_t ifindex : portless) {
    if (!known_.ports.contains(ifindex)) close_or_detach(round, ifindex, {});
  }
}

// Whether a guest may be behind an interface that serves nothing else.
bool EbpfDatapath::is_tap(std::uint32_t ifindex) {
  const auto link = links_.find(ifindex);
  if (!link) return true;  // not known: closed is the safe side
  return *link && (*link)->kind == "tun" && (*link)->ethernet && (*link)->master == 0;
}

// Hooks that are complete are left alone: no frame passes between the removal of the port's entry and now.
Status EbpfDatapath::close(std::uint32_t ifindex) {
  const auto standing = hooks_.look(ifindex);
  if (!standing) return failed(standing);
  if (!standing->complete) {
    if (const auto prepared = hooks_.prepare(ifindex, std::nullopt); !prepared) return failed(prepared);
    for (const Hook hook : {Hook::ingress, Hook::egress}) {
      if (auto attached = hooks_.attach(ifindex, hook); !attached) return attached;
    }
    if (auto finished = hooks_.finish(ifindex); !finished) return finished;
  }
  if (!standing->before.empty() && !before_.contains(ifindex))
    log::warning("interface {} is a tap without a port and not closed: {} runs before", ifindex, standing->before);
  note_standing(ifindex, fmt::format("interface {}", ifindex), *standing);
  return {};
}

// Of an interface whose port is gone.
void EbpfDatapath::close_or_detach(Round& round, std::uint32_t ifindex, std::optional<bool> owns_clsact) {
  if (!round.desired.banned.contains(ifindex) && is_tap(ifindex)) {
    const auto done = close(ifindex);
    if (done) {
      if (closed_.insert(ifindex).second) log::info("interface {} is a tap without a port: it stays closed", ifindex);
      return;
    }
    log::warning("interface {} has lost its port and cannot be closed: {}", ifindex, done.error().message);
  }
  closed_.erase(ifindex);
  if (const auto detached = hooks_.detach(ifindex, owns_clsact); !detached) {
    round.errors.push_back(detached.error());
    stale_ = true;  // its entry is gone: the next apply() finds the hooks themselves
  }
}

void EbpfDatapath::open_banned(Round& round) {
  for (const std::uint32_t ifindex : round.desired.banned) {
    if (!closed_.contains(ifindex)) continue;
    log::info("interface {} is not closed any more: it has gone, or serves something else", ifindex);
    close_or_detach(round, ifindex, {});
  }
}

}  // namespace midonet::datapath
