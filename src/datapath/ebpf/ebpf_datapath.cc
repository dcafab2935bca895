#include "datapath/ebpf/ebpf_datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace midonet::datapath {
namespace {

constexpr int drain_every = 64;  // interfaces between two looks at the notifications

Program loaded(int fd, std::uint32_t id) { return {.fd = fd, .id = id}; }

}  // namespace

struct EbpfDatapath::Round {
  const Desired& desired;
  const Sweep sweep;
  Circumstances circumstances{};
  Delta delta{};
  std::vector<std::pair<std::uint32_t, Uuid>> to_hook{};  // interfaces whose hooks are not complete
  std::map<Uuid, Error> failed{};
  std::unordered_set<std::uint32_t> failed_interfaces{};
  std::set<Vni> unfinished{};
  std::vector<Error> errors{};
  std::unordered_map<std::uint32_t, Uuid> owners{};  // of the interfaces that are written

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
    errors.push_back(error);
    if (const auto valid = Vni::from(vni)) unfinished.insert(*valid);
  }
};

EbpfDatapath::EbpfDatapath(std::unique_ptr<Objects> objects, std::unique_ptr<Tc> tc, const Hooks& hooks,
                           const EbpfOptions& options)
    : objects_(std::move(objects)), tc_(std::move(tc)), hooks_(hooks), ageing_(options.ageing) {}

Result<std::unique_ptr<EbpfDatapath>> EbpfDatapath::open(Loop& loop, const EbpfOptions& options) {
  auto objects = Objects::open(options);
  if (!objects) return tl::unexpected(objects.error());
  auto tc = Tc::open();
  if (!tc) return tl::unexpected(tc.error());
  const auto from_tap = program_id((*objects)->from_tap());
  const auto to_tap = program_id((*objects)->to_tap());
  if (!from_tap) return tl::unexpected(from_tap.error());
  if (!to_tap) return tl::unexpected(to_tap.error());
  const Hooks hooks(**tc, loaded((*objects)->from_tap(), *from_tap), loaded((*objects)->to_tap(), *to_tap));
  log::info("datapath {} pins={} from_tap={} to_tap={}", (*objects)->adopted() ? "adopted" : "loaded",
            (*objects)->folder(), *from_tap, *to_tap);

  std::unique_ptr<EbpfDatapath> datapath(new EbpfDatapath(std::move(*objects), std::move(*tc), hooks, options));
  auto drift =
      Drift::open(loop,
                  {.port_id = datapath->tc_->port_id(),
                   .plugged =
                       [self = datapath.get()](std::uint32_t ifindex) {
                         return self->known_.ports.contains(ifindex) || self->troubled_.contains(ifindex);
                       },
                   .pin = [self = datapath.get()](const std::string& file) { return self->objects_->is_pin(file); }},
                  [self = datapath.get()](const std::string& what) {
                    self->stale_ = true;
                    if (self->drifted_) self->drifted_(what);
                  });
  if (!drift) return tl::unexpected(drift.error());
  datapath->drift_ = std::move(*drift);
  if (auto watched = datapath->drift_->watch_pins(datapath->objects_->folder()); !watched)
    return tl::unexpected(watched.error());
  return datapath;
}

Applied EbpfDatapath::apply(const Desired& desired, Sweep sweep) {
  Round round{.desired = desired, .sweep = sweep};
  if (stale_ || !pinned_) pin(round);
  if (stale_) {
    if (auto read = read_kernel(); !read) {
      round.errors.push_back(read.error());
      Applied nothing{.ports = {}, .errors = round.errors};
      for (const auto& [id, spec] : desired.ports) nothing.ports.emplace(id, tl::unexpected(read.error()));
      return nothing;
    }
  }
  const bool everything = std::exchange(stale_, false) || (sweep == Sweep::yes && !swept_);
  if (!everything) {
    round.circumstances.scope = changed_bridges(applied_, desired);
    round.circumstances.scope->insert(unfinished_.begin(), unfinished_.end());
  }
  round.circumstances.max_ports = objects_->maps().max_ports;

  if (everything || !round.circumstances.scope->empty()) {
    prepare_interfaces(round);
    round.delta = difference(known_, desired, sweep, round.circumstances);
    for (const auto& [id, error] : round.delta.refused) round.failed.try_emplace(id, error);
    for (const auto& [id, spec] : desired.ports) {
      if (round.in_scope(spec.vni) && !round.failed.contains(id)) round.owners.emplace(spec.ifindex, id);
    }
    write_ports(round);
    attach(round, Hook::egress);
    write_bridges(round);
    attach(round, Hook::ingress);
    confirm_hooks(round);
    remove_ports(round);
    verify(round);
    if (everything && sweep == Sweep::yes) remove_strays(round);
    if (drift_) drift_->drain();
  }

  std::erase_if(failed_, [&](const auto& failed) {
    const auto spec = desired.ports.find(failed.first);
    return spec == desired.ports.end() || round.in_scope(spec->second.vni);
  });
  failed_.merge(round.failed);
  unfinished_ = std::move(round.unfinished);
  troubled_.clear();
  for (const auto& [id, error] : failed_) {
    const PortSpec& spec = desired.ports.at(id);
    unfinished_.insert(spec.vni);
    troubled_.insert(spec.ifindex);
  }
  if (sweep == Sweep::yes) swept_ = true;
  update(applied_, desired);

  Applied applied{.ports = {}, .errors = std::move(round.errors)};
  for (const auto& [id, spec] : desired.ports) {
    const auto failed = failed_.find(id);
    applied.ports.emplace_hint(applied.ports.end(), id,
                               failed == failed_.end() ? Status{} : Status(tl::unexpected(failed->second)));
  }
  return applied;
}

// Frames pass without pins, so a port does not fail for them; a restart would not find its maps, so it is an error.
void EbpfDatapath::pin(Round& round) {
  auto done = objects_->pin();
  if (done && drift_) done = drift_->watch_pins(objects_->folder());
  pinned_ = done.has_value();
  if (!done) round.errors.push_back(done.error());
}

Status EbpfDatapath::read_kernel() {
  const Maps& maps = objects_->maps();
  Tables read;
  auto ports = maps.ports.entries();
  if (!ports) return tl::unexpected(ports.error());
  for (const auto& [ifindex, port] : *ports) read.ports.emplace(ifindex, port);
  auto fdb = maps.fdb.entries();
  if (!fdb) return tl::unexpected(fdb.error());
  for (const auto& [key, entry] : *fdb) read.bridges[key.vni].fdb.emplace(mac_of(key.mac), entry.ifindex);
  auto neighbours = maps.neighbours.entries();
  if (!neighbours) return tl::unexpected(neighbours.error());
  for (const auto& [key, entry] : *neighbours) read.bridges[key.vni].neighbours.emplace(key.ip, mac_of(entry.mac));

  auto chunks = maps.members.entries();
  if (!chunks) return tl::unexpected(chunks.error());
  std::sort(chunks->begin(), chunks->end(), [](const auto& a, const auto& b) { return a.first.chunk < b.first.chunk; });
  for (const auto& [key, chunk] : *chunks) {
    if (key.chunk >= MIDONET_CHUNKS) {  // of nobody's making: no flood gets there
      if (auto removed = maps.members.remove(key); !removed) return removed;
      continue;
    }
    auto& members = read.bridges[key.vni].members;
    // A flood ends at a gap; nobody of ours leaves one.
    while (members.size() < std::size_t{key.chunk} * MIDONET_CHUNK_PORTS) {
      const auto gap = static_cast<std::uint32_t>(members.size() / MIDONET_CHUNK_PORTS);
      if (auto filled = maps.members.put({key.vni, gap}, abi::members{}); !filled) return filled;
      members.resize(members.size() + MIDONET_CHUNK_PORTS);
    }
    members.insert(members.end(), std::begin(chunk.ifindex), std::end(chunk.ifindex));
  }
  known_ = std::move(read);
  hooked_.clear();
  return {};
}

void EbpfDatapath::prepare_interfaces(Round& round) {
  int count = 0;
  for (const auto& [id, spec] : round.desired.ports) {
    if (!round.in_scope(spec.vni) || spec.ifindex == 0 || hooked_.contains(spec.ifindex)) continue;
    if (++count % drain_every == 0 && drift_) drift_->drain();
    const auto known = known_.ports.find(spec.ifindex);
    const bool recorded = known != known_.ports.end();
    const auto complete = hooks_.complete(spec.ifindex);
    if (complete && *complete && recorded) {
      hooked_.insert(spec.ifindex);
      continue;
    }
    const auto owns =
        !complete ? complete
                  : hooks_.prepare(spec.ifindex,
                                   recorded ? std::optional<bool>((known->second.flags & abi::port_owns_clsact) != 0)
                                            : std::nullopt);
    if (!owns) {
      const Error error{owns.error().code, fmt::format("plug {}: {}", spec.interface, owns.error().message)};
      round.fail_port(id, spec.ifindex, error);
      // Without the interface, or beside somebody who holds our place, there is nothing to keep. Of any other failure we
      // do not know what it means: a port that was plugged stays so.
      if (error.code == Code::not_found || error.code == Code::conflict) round.circumstances.unusable.insert(id);
      continue;
    }
    round.circumstances.owns_clsact.insert_or_assign(spec.ifindex, *owns);
    round.to_hook.emplace_back(spec.ifindex, id);
  }
}

void EbpfDatapath::write_ports(Round& round) {
  for (const auto& [ifindex, port] : round.delta.ports) {
    auto written = fresh_port(ifindex, port);
    if (written) written = objects_->maps().ports.put(ifindex, port);
    if (written) {
      known_.ports[ifindex] = port;
    } else {
      round.fail_interface(ifindex, written.error());
    }
  }
}

// What a port starts with: no counts, nothing learned. Leaves alone what a port that is known already has.
Status EbpfDatapath::fresh_port(std::uint32_t ifindex, const abi::port& port) {
  const Maps& maps = objects_->maps();
  const auto known = known_.ports.find(ifindex);
  const bool here = known != known_.ports.end();
  const bool same_port = here && id_of(known->second) == id_of(port) && known->second.slot == port.slot;
  if (!same_port) {
    forget_drops(ifindex);
    const std::vector<abi::counters> none(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    if (::bpf_map_update_elem(maps.counters.get(), &port.slot, none.data(), BPF_ANY) != 0)
      return fail_errno(errno, "clear the counters of interface {}", ifindex);
  }
  if (!same_port || known->second.vni != port.vni) {
    if (here) forget_learned(ifindex, known->second.vni);
    return maps.rings.put(ifindex, abi::ring{});
  }
  const auto ring = maps.rings.get(ifindex);
  if (!ring) return tl::unexpected(ring.error());
  return *ring ? Status{} : maps.rings.put(ifindex, abi::ring{});
}

void EbpfDatapath::attach(Round& round, Hook hook) {
  int count = 0;
  for (const auto& [ifindex, id] : round.to_hook) {
    if (round.failed.contains(id)) continue;
    if (++count % drain_every == 0 && drift_) drift_->drain();
    if (auto attached = hooks_.attach(ifindex, hook); !attached) round.fail_port(id, ifindex, attached.error());
  }
}

void EbpfDatapath::confirm_hooks(Round& round) {
  for (const auto& [ifindex, id] : round.to_hook) {
    if (round.failed.contains(id)) continue;
    const auto complete = hooks_.complete(ifindex);
    if (complete && *complete) {
      hooked_.insert(ifindex);
      continue;
    }
    round.fail_port(id, ifindex,
                    complete ? Error{Code::unavailable, fmt::format("attach to interface {}: the hooks were not there "
                                                                    "when read back",
                                                                    ifindex)}
                             : complete.error());
  }
}

void EbpfDatapath::write_bridges(Round& round) {
  const Maps& maps = objects_->maps();
  for (const auto& set : round.delta.fdb_set) {
    if (round.failed_interfaces.contains(set.ifindex)) continue;
    const auto written = maps.fdb.put(fdb_key(set.vni, set.mac), {.ifindex = set.ifindex, .reserved = 0});
    if (written) {
      known_.bridges[set.vni].fdb[set.mac] = set.ifindex;
    } else {
      round.fail_interface(set.ifindex, written.error());
    }
  }
  for (const auto& gone : round.delta.fdb_gone) {
    const auto removed = maps.fdb.remove(fdb_key(gone.vni, gone.mac));
    if (removed) {
      known_.bridges[gone.vni].fdb.erase(gone.mac);
    } else {
      round.fail_bridge(gone.vni, removed.error());
    }
  }
  for (const auto& set : round.delta.neighbours_set) {
    abi::neighbour neighbour{};
    std::copy(set.mac.bytes().begin(), set.mac.bytes().end(), neighbour.mac);
    const auto written = maps.neighbours.put({.vni = set.vni, .ip = set.ip}, neighbour);
    if (written) {
      known_.bridges[set.vni].neighbours[set.ip] = set.mac;
    } else {
      round.fail_bridge(set.vni, written.error());
    }
  }
  for (const auto& gone : round.delta.neighbours_gone) {
    const auto removed = maps.neighbours.remove({.vni = gone.vni, .ip = gone.ip});
    if (removed) {
      known_.bridges[gone.vni].neighbours.erase(gone.ip);
    } else {
      round.fail_bridge(gone.vni, removed.error());
    }
  }
  for (auto& chunk : round.delta.chunks) {
    if (chunk.ports) {
      // An interface without our hooks gets no frames.
      for (std::uint32_t& ifindex : chunk.ports->ifindex) {
        if (round.failed_interfaces.contains(ifindex)) ifindex = 0;
      }
    }
    const auto written = chunk.ports ? maps.members.put(chunk.key, *chunk.ports) : maps.members.remove(chunk.key);
    if (written) {
      Delta one;
      one.chunks.push_back(chunk);
      apply_to(known_, one);
      continue;
    }
    round.fail_bridge(chunk.key.vni, written.error());
    if (!chunk.ports) continue;
    for (const std::uint32_t ifindex : chunk.ports->ifindex) {
      if (round.owners.contains(ifindex)) round.fail_interface(ifindex, written.error());
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
    if (const auto detached = hooks_.detach(ifindex, (port.flags & abi::port_owns_clsact) != 0); !detached) {
      round.errors.push_back(detached.error());
      stale_ = true;  // its entry is gone: the next apply() finds the hooks themselves
    }
    // After the hooks, so that nothing is learned behind our back. What a program that was just running on another CPU
    // still adds leads nowhere (fdb_find in fdb.h).
    forget_learned(ifindex, port.vni);
    forget_drops(ifindex);
    if (const auto removed = maps.rings.remove(ifindex); !removed) round.errors.push_back(removed.error());
    known_.ports.erase(ifindex);
    hooked_.erase(ifindex);
  }
  std::erase_if(known_.bridges, [](const auto& bridge) { return bridge.second.empty(); });
}

void EbpfDatapath::remove_strays(Round& round) {
  const auto strays = hooks_.strays([&](std::uint32_t ifindex) {
    return known_.ports.contains(ifindex) || round.failed_interfaces.contains(ifindex);
  });
  if (!strays) {
    round.errors.push_back(strays.error());
    stale_ = true;
    return;
  }
  for (const auto& stray : *strays) {
    log::info("detach from interface {}: it carries hooks of ours and no port", stray.ifindex);
    if (const auto detached = hooks_.detach(stray.ifindex, stray.alone); !detached) {
      round.errors.push_back(detached.error());
      stale_ = true;
    }
  }
}

// Reads back every entry that this round wrote; the hooks were read back when they were attached.
void EbpfDatapath::verify(Round& round) {
  const Maps& maps = objects_->maps();
  const auto differs = [&](const std::string& map, std::uint32_t ifindex) {
    round.fail_interface(
        ifindex, Error{Code::unavailable, fmt::format("the entry of interface {} in the BPF map \"{}\" was not there "
                                                      "when read back",
                                                      ifindex, map)});
    stale_ = true;
  };
  for (const auto& [ifindex, port] : round.delta.ports) {
    if (round.failed_interfaces.contains(ifindex)) continue;
    const auto entry = maps.ports.get(ifindex);
    if (!entry || !*entry || !same(**entry, port)) differs("ports", ifindex);
    const auto ring = maps.rings.get(ifindex);
    if (!ring || !*ring) differs("rings", ifindex);
  }
  for (const auto& set : round.delta.fdb_set) {
    if (round.failed_interfaces.contains(set.ifindex)) continue;
    const auto entry = maps.fdb.get(fdb_key(set.vni, set.mac));
    if (!entry || !*entry || (*entry)->ifindex != set.ifindex) differs("fdb", set.ifindex);
  }
  for (const auto& chunk : round.delta.chunks) {
    if (!chunk.ports) continue;
    const auto entry = maps.members.get(chunk.key);
    for (int i = 0; i < MIDONET_CHUNK_PORTS; i++) {
      const std::uint32_t ifindex = chunk.ports->ifindex[i];
      if (ifindex == 0 || round.failed_interfaces.contains(ifindex)) continue;
      if (!entry || !*entry || (*entry)->ifindex[i] != ifindex) differs("members", ifindex);
    }
  }
}

void EbpfDatapath::forget_learned(std::uint32_t ifindex, std::uint32_t vni) {
  const Maps& maps = objects_->maps();
  const auto ring = maps.rings.get(ifindex);
  if (!ring || !*ring) return;
  for (const auto& bytes : (*ring)->mac) {
    const Mac mac = mac_of(bytes);
    if (mac.is_zero()) continue;
    const auto entry = maps.learned.get(fdb_key(vni, mac));
    // Left behind, it would lead nowhere and age.
    if (entry && *entry && (*entry)->ifindex == ifindex) (void)maps.learned.remove(fdb_key(vni, mac));
  }
}

void EbpfDatapath::forget(Vni vni, const Mac& mac) {
  (void)objects_->maps().learned.remove(fdb_key(vni.number(), mac));
}

void EbpfDatapath::forget_drops(std::uint32_t ifindex) {
  for (std::uint32_t reason = 0; reason < abi::drop_reasons; reason++)
    (void)objects_->maps().drops.remove({.ifindex = ifindex, .reason = reason});
}

Status EbpfDatapath::remove_everything() {
  drift_.reset();  // what comes now is our own doing
  Status result;
  const auto note = [&](const Status& status) {
    if (!status && result) result = status;
  };
  note(read_kernel());
  for (const auto& [ifindex, port] : known_.ports) note(objects_->maps().ports.remove(ifindex));
  for (const auto& [ifindex, port] : known_.ports)
    note(hooks_.detach(ifindex, (port.flags & abi::port_owns_clsact) != 0));
  const auto strays = hooks_.strays([](std::uint32_t) { return false; });
  if (strays) {
    for (const auto& stray : *strays) note(hooks_.detach(stray.ifindex, stray.alone));
  } else {
    note(tl::unexpected(strays.error()));
  }
  note(objects_->unpin());
  known_ = {};
  applied_ = {};
  hooked_.clear();
  failed_.clear();
  stale_ = true;
  return result;
}

}  // namespace midonet::datapath
