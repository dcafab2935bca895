#include "datapath/ebpf/ebpf_datapath.h"

#include <utility>

#include "base/log.h"
#include "datapath/ebpf/round.h"
#include "datapath/ebpf/tcx.h"

namespace midonet::datapath {
namespace {

Result<Program> loaded(const char* name, int fd) {
  const auto id = program_id(fd);
  if (!id) return failed(id);
  return Program{.name = name, .fd = fd, .id = *id};
}

}  // namespace

EbpfDatapath::EbpfDatapath(Loop& loop, std::unique_ptr<Objects> objects, std::unique_ptr<Tc> tc, const Hooks& hooks,
                           const Hooks& tunnel_hooks, VxlanLinks links, const EbpfOptions& options)
    : objects_(std::move(objects)),
      tc_(std::move(tc)),
      hooks_(hooks),
      tunnel_hooks_(tunnel_hooks),
      links_(std::move(links)),
      loop_(loop),
      ageing_(options.ageing),
      look_every_(options.look_every),
      leaving_(loop, options.admission_linger, [this](const abi::admitted_key& over) { remove_admitted(over); }),
      admits_anew_(objects_->admits_anew()) {}

Result<std::unique_ptr<EbpfDatapath>> EbpfDatapath::open(Loop& loop, const EbpfOptions& options) {
  auto objects = Objects::open(options);
  if (!objects) return failed(objects);
  auto tc = Tc::open();
  if (!tc) return failed(tc);
  auto links = VxlanLinks::open();
  if (!links) return failed(links);
  const auto from_tap = loaded("from_tap", (*objects)->from_tap());
  const auto to_tap = loaded("to_tap", (*objects)->to_tap());
  const auto from_tunnel = loaded("from_tunnel", (*objects)->from_tunnel());
  for (const auto& program : {from_tap, to_tap, from_tunnel}) {
    if (!program) return failed(program);
  }
  const bool has_tcx = tcx::supported();
  const Hooks::Settings settings{
      .way = has_tcx ? options.hooks : Hooks::Way::clsact, .kernel_has_tcx = has_tcx, .links = (*objects)->links()};
  const Hooks hooks(**tc, settings, *from_tap, *to_tap);
  const Hooks tunnel_hooks(**tc, settings, *from_tunnel, std::nullopt);
  log::info("datapath {} hooks={} pins={} from_tap={} to_tap={} from_tunnel={}",
            (*objects)->adopted() ? "adopted" : "loaded", Hooks::name(settings.way), (*objects)->folder(), from_tap->id,
            to_tap->id, from_tunnel->id);

  std::unique_ptr<EbpfDatapath> datapath(
      new EbpfDatapath(loop, std::move(*objects), std::move(*tc), hooks, tunnel_hooks, std::move(*links), options));
  if (auto listening = datapath->listen(loop, options); !listening) return failed(listening);
  return datapath;
}

// To everything that the kernel may have to say.
Status EbpfDatapath::listen(Loop& loop, const EbpfOptions& options) {
  auto drift = Drift::open(loop,
                           {.port_id = tc_->port_id(),
                            .plugged =
                                [this](std::uint32_t ifindex) {
                                  return known_.ports.contains(ifindex) || troubled_.contains(ifindex) ||
                                         closed_.contains(ifindex) || ifindex == known_.tunnel.ifindex;
                                },
                            .concerns =
                                [this](const TcEvent& event) {
                                  return event.place.ifindex == known_.tunnel.ifindex ? tunnel_hooks_.concerns(event)
                                                                                      : hooks_.concerns(event);
                                },
                            .linked =
                                [this](const std::string& file) {
                                  const auto tap = hooks_.linked(file);
                                  return tap ? tap : tunnel_hooks_.linked(file);
                                },
                            .pin = [this](const std::string& file) { return objects_->is_pin(file); }},
                           [this](const std::string& what) { drifted(what); });
  if (!drift) return failed(drift);
  drift_ = std::move(*drift);
  if (auto watched = drift_->watch_pins(objects_->folder(), objects_->links()); !watched) return watched;

  auto device = TunnelDevice::open(
      loop, {.name = options.tunnel_device, .udp_port = options.tunnel_port, .pin_dir = options.pin_dir},
      [this](const std::string& what) { drifted(what); });
  if (!device) return failed(device);
  device_ = std::move(*device);

  auto news = News::open(loop, objects_->maps(), [this](const auto& keys, bool lost) { tell_learned(keys, lost); });
  if (!news) return failed(news);
  news_ = std::move(*news);
  return {};
}

void EbpfDatapath::drifted(const std::string& what) {
  stale_ = true;
  if (drifted_) drifted_(what);
}

namespace {

// The ports of these bridges, ascending by id; of all without any.
std::vector<const PortSpec*> ports_of(const Desired& desired, const PortsByBridge& by_bridge,
                                      const std::set<Vni>* bridges) {
  std::vector<const PortSpec*> out;
  if (bridges == nullptr) {
    out.reserve(desired.ports.size());
    for (const auto& [id, spec] : desired.ports) out.push_back(&spec);
    return out;
  }
  for (const Vni vni : *bridges) {
    const auto of_bridge = by_bridge.find(vni);
    if (of_bridge == by_bridge.end()) continue;
    for (const Uuid& id : of_bridge->second) out.push_back(&desired.ports.at(id));
  }
  std::sort(out.begin(), out.end(), [](const PortSpec* a, const PortSpec* b) { return a->id < b->id; });
  return out;
}

Circumstances in_scope(std::optional<std::set<Vni>> scope) {
  Circumstances out;
  out.scope = std::move(scope);
  return out;
}

std::optional<Ip> local(const Desired& desired) {
  return desired.tunnel ? std::optional<Ip>(desired.tunnel->local) : std::nullopt;
}

}  // namespace

// What has to be looked at beside the bridges that are different.
std::set<Vni> EbpfDatapath::left_to_do(const Desired& desired, Sweep sweep) const {
  std::set<Vni> scope = unfinished_;
  if (sweep == Sweep::yes) scope.insert(unswept_.begin(), unswept_.end());
  const auto look_at = [&](const abi::port& port) {
    if (const auto vni = Vni::from(port.vni)) scope.insert(*vni);
  };
  for (const std::uint32_t ifindex : desired.banned)
    if (const auto port = known_.ports.find(ifindex); port != known_.ports.end()) look_at(port->second);
  if (desired.held != applied_.held)
    for (const auto& [ifindex, port] : known_.ports)
      if (applied_.held.contains(id_of(port)) || desired.held.contains(id_of(port))) look_at(port);
  return scope;
}

Applied EbpfDatapath::apply(const Desired& desired, Sweep sweep) {
  const bool everything = stale_ || (sweep == Sweep::yes && !swept_);
  std::optional<std::set<Vni>> scope;
  if (!everything) {
    scope = left_to_do(desired, sweep);
    scope->merge(changed_bridges(applied_, desired));
  }
  const bool tunnel_changed = applied_.tunnel != desired.tunnel;
  update(applied_, desired);
  applied_ports_ = by_bridge(applied_);
  Round round{.desired = applied_,
              .sweep = sweep,
              .tunnel_changed = tunnel_changed,
              .ports = ports_of(applied_, applied_ports_, scope ? &*scope : nullptr),
              .circumstances = in_scope(scope)};
  Applied applied = run(round, everything);
  for (const auto& [id, spec] : applied_.ports)
    if (!round.in_scope(spec.vni)) answer(spec, applied);  // nothing is different; the answer is about all
  return applied;
}

Applied EbpfDatapath::apply_bridges(const Desired& desired, const std::set<Vni>& bridges, Sweep sweep) {
  if (stale_ || (sweep == Sweep::yes && !swept_) || local(desired) != local(applied_)) {
    Desired whole = applied_;
    PortsByBridge ports = applied_ports_;
    replace(whole, ports, desired, bridges);
    return apply(whole, sweep);
  }
  std::set<Vni> scope = left_to_do(desired, sweep);
  scope.merge(changed_bridges(applied_, applied_ports_, desired, bridges));
  const bool tunnel_changed = applied_.tunnel != desired.tunnel;
  replace(applied_, applied_ports_, desired, bridges);
  Round round{.desired = applied_,
              .sweep = sweep,
              .tunnel_changed = tunnel_changed,
              .ports = ports_of(applied_, applied_ports_, &scope),
              .circumstances = in_scope(std::move(scope))};
  Applied applied = run(round, false);
  for (const auto& [id, spec] : desired.ports)
    if (!round.in_scope(spec.vni)) answer(spec, applied);
  return applied;
}

// What became of a port.
void EbpfDatapath::answer(const PortSpec& spec, Applied& applied) const {
  const auto failed = failed_.find(spec.id);
  applied.ports.emplace(spec.id, failed == failed_.end() ? Status{} : Status(tl::unexpected(failed->second)));
  const auto before = before_.find(spec.ifindex);
  if (failed == failed_.end() && before != before_.end()) applied.preceded.emplace(spec.id, before->second);
}

Applied EbpfDatapath::run(Round& round, bool everything) {
  if (stale_ || !pinned_) pin(round);
  if (stale_) {
    if (auto read = read_kernel(); !read) {
      round.errors.push_back(read.error());
      Applied nothing{.ports = {}, .errors = round.errors};
      if (round.desired.tunnel) nothing.tunnel = tl::unexpected(read.error());
      for (const PortSpec* spec : round.ports) nothing.ports.emplace(spec->id, tl::unexpected(read.error()));
      return nothing;
    }
  }
  stale_ = false;
  round.circumstances.max_ports = objects_->maps().max_ports;
  round.circumstances.ports = &round.ports;

  look_before();
  open_banned(round);
  prepare_tunnel(round, everything);
  if (everything || !round.circumstances.scope->empty()) {
    prepare_interfaces(round);
    round.delta = difference(known_, round.desired, round.sweep, round.circumstances);
    for (const auto& [id, error] : round.delta.refused) round.failed.try_emplace(id, error);
    for (const PortSpec* spec : round.ports)
      if (!round.failed.contains(spec->id)) round.owners.emplace(spec->ifindex, spec->id);
    write_ports(round);
    attach(round, Hook::egress);
    write_bridges(round);
    finish_tunnel(round);
    attach(round, Hook::ingress);
    confirm_hooks(round);
    remove_ports(round);
    verify(round);
    if (everything && round.sweep == Sweep::yes) remove_strays(round);
    if (drift_) drift_->drain();
  } else {
    finish_tunnel(round);
  }
  note(round, everything);
  look_later();

  Applied applied{.ports = {}, .tunnel = tunnel_status_, .errors = std::move(round.errors)};
  for (const PortSpec* spec : round.ports) answer(*spec, applied);
  return applied;
}

// What was left to do.
void EbpfDatapath::note(Round& round, bool everything) {
  std::erase_if(failed_, [&](const auto& failed) {
    const auto spec = round.desired.ports.find(failed.first);
    return spec == round.desired.ports.end() || round.in_scope(spec->second.vni);
  });
  failed_.merge(round.failed);
  unfinished_ = std::move(round.unfinished);
  troubled_.clear();
  for (const auto& [id, error] : failed_) {
    const PortSpec& spec = round.desired.ports.at(id);
    unfinished_.insert(spec.vni);
    troubled_.insert(spec.ifindex);
  }
  std::erase_if(closed_, [&](std::uint32_t ifindex) { return known_.ports.contains(ifindex); });
  if (round.sweep == Sweep::yes) {
    swept_ = true;
    unswept_.clear();
  } else if (everything) {
    swept_ = false;
  } else {
    unswept_.insert(round.circumstances.scope->begin(), round.circumstances.scope->end());
  }
}

bool EbpfDatapath::plugged(std::uint32_t ifindex) {
  const auto port = objects_->maps().ports.get(ifindex);
  return port && port->has_value();
}

// Frames pass without pins, so a port does not fail for them; a restart would not find its maps, so it is an error.
void EbpfDatapath::pin(Round& round) {
  auto done = objects_->pin();
  if (done && drift_) done = drift_->watch_pins(objects_->folder(), objects_->links());
  pinned_ = done.has_value();
  if (!done) round.errors.push_back(done.error());
}

Status EbpfDatapath::remove_everything() {
  // What comes now is our own doing.
  drift_.reset();
  look_timer_.cancel();
  news_.reset();
  leaving_.clear();
  Status result;
  const auto note = [&](const Status& status) {
    if (!status && result) result = status;
  };
  note(read_kernel());
  for (const auto& [ifindex, port] : known_.ports) note(objects_->maps().ports.remove(ifindex));
  note(write_tunnel({}));
  note(device_->remove());
  for (const auto& [ifindex, port] : known_.ports)
    note(hooks_.detach(ifindex, (port.flags & abi::port_owns_clsact) != 0));
  before_.clear();
  const auto strays = hooks_.strays([](std::uint32_t) { return false; });
  if (strays) {
    for (const auto& stray : *strays) {
      note(hooks_.detach(stray.ifindex, {}));
    }
  } else {
    note(tl::unexpected(strays.error()));
  }
  note(objects_->unpin());
  known_ = {};
  applied_ = {};
  closed_.clear();
  applied_ports_ = {};
  hooked_.clear();
  failed_.clear();
  tunnel_settled_ = false;
  tunnel_status_ = {};
  stale_ = true;
  return result;
}

}  // namespace midonet::datapath
