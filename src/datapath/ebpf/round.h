// One apply() of EbpfDatapath: what it is asked for, what it found to do, and what became of it. Used by the files of that
// class alone (ebpf_datapath.cc, map_writes.cc, tunnel.cc).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "datapath/ebpf/ebpf_datapath.h"

namespace midonet::datapath {

struct EbpfDatapath::Round {
  const Desired& desired;
  const Sweep sweep;
  const bool tunnel_changed;                 // desired.tunnel, since the last apply()
  const std::vector<const PortSpec*> ports;  // those of the bridges in scope
  Circumstances circumstances{};
  Delta delta{};
  // Interfaces whose hooks are not complete; `known`: an agent before may have left its own there.
  struct ToHook {
    std::uint32_t ifindex;
    Uuid id;
    bool known;
  };
  std::vector<ToHook> to_hook{};
  std::map<Uuid, Error> failed{};
  std::unordered_set<std::uint32_t> failed_interfaces{};
  std::set<Vni> unfinished{};
  std::vector<Error> errors{};
  std::unordered_map<std::uint32_t, Uuid> owners{};  // of the interfaces that are written
  std::optional<std::uint32_t> tunnel_device{};      // its ifindex, when it is to be hooked and led to

  bool in_scope(const Vni& vni) const { return !circumstances.scope || circumstances.scope->contains(vni); }
  void fail_port(const Uuid& id, std::uint32_t ifindex, const Error& error) {
    failed.try_emplace(id, error);
    failed_interfaces.insert(ifindex);
  }
  // What failed concerns an interface: its port's status tells, if it has a port.
  void fail_interface(std::uint32_t ifindex, const Error& error) {
    const auto owner = owners.find(ifindex);
    if (owner != owners.end()) {
      fail_port(owner->second, ifindex, error);
    } else {
      errors.push_back(error);
    }
  }
  void fail_bridge(std::uint32_t vni, const Error& error) {
    // A full map refuses thousands with one reason.
    if (errors.empty() || errors.back().message != error.message) errors.push_back(error);
    if (const auto valid = Vni::from(vni)) unfinished.insert(*valid);
  }
};

}  // namespace midonet::datapath
