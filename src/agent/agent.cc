#include "agent/agent.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/host_identity.h"
#include "agent/plan/underlay.h"
#include "base/interface_name.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/paths.h"
#include "model/record.h"
#include "store/transaction.h"
#include "topology/hosts.h"

#include <unistd.h>

namespace midonet::agent {

namespace paths = model::paths;
using model::PortState;
using model::PortStatus;

namespace {

// How long a look at the store may stay incomplete before what is known is applied without the rest.
constexpr std::chrono::milliseconds patience{20};
// How long records that contradict each other may stay so before it is reported.
constexpr std::chrono::milliseconds doubt_time{20};
// Interfaces come and go in bunches; no client waits for them.
constexpr std::chrono::milliseconds interfaces_delay{100};
// A reconcile that took long is followed by a pause as long as it took, at most so long: a burst of changes becomes few
// reconciles, one change is not delayed.
constexpr std::chrono::milliseconds longest_pause{50};
constexpr Backoff registration_backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(10'000));
// After a start that long, everything that it read has been written or thrown away.
constexpr std::chrono::seconds start_is_over{1};

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Agent::Agent(Loop& loop, store::Store& store, netlink::LinkSource& links, datapath::Datapath& datapath,
             Registry& registry, Options options)
    : loop_(loop),
      store_(store),
      links_(links),
      datapath_(datapath),
      options_(std::move(options)),
      times_(registry),
      reconcile_counter_(registry.counter("midonet_agent_reconciles_total", "Times that the host was reconciled")),
      retry_counter_(registry.counter("midonet_agent_retries_total", "Reconciles because something had failed before")),
      drift_counter_(registry.counter("midonet_agent_drifts_total",
                                      "Times that another program touched what is ours in the kernel")),
      connected_(registry.gauge("midonet_agent_store_connected", "Whether the store answers")),
      lingering_gauge_(registry.gauge("midonet_agent_lingering_ports",
                                      "Ports that another host has taken over and whose guest still runs here")),
      closed_gauge_(registry.gauge("midonet_agent_closed_taps",
                                   "Taps without a port that stay closed while their guests may run")),
      claim_(loop, store, options_.host,
             {.alive = {::getpid(), options_.version, rfc3339(options_.now())},
              .place = options_.place,
              .host_name = options_.host_name,
              .addresses = options_.addresses},
             {[this] { begin(); }, [this] { nodes_.resume(); }}),
      hold_(options_.hold_file),
      nodes_(loop, store, registry.counter("midonet_agent_report_commits_total", "Commits of statuses and interfaces"),
             registry.counter("midonet_agent_report_failures_total",
                              "Commits of statuses and interfaces that the store refused"),
             {{.path = paths::alive(options_.host), .kind = ephemeral(Rank::alive), .self = true},
              {.path = paths::statuses(options_.host), .kind = ephemeral(Rank::status), .children = true},
              {.path = paths::interfaces(options_.host), .kind = ephemeral(Rank::interface), .children = true}},
             {.found = [this](const std::string& path, const store::Node& node) { found(path, node); },
              .missing = [this](const std::string&) { register_host(); },
              .written = [this](const std::string& path) { times_.written(path); }}),
      report_(nodes_, registry, options_.host, options_.now),
      mirror_(loop, store, [this] { on_store(); }),
      store_since_(options_.now()),
      offering_(loop, store, datapath, registry, snapshot_, options_.mac_ageing, options_.host,
                {[this](const char* why) { mark_dirty(why); },
                 [this] {
                   store_dirty_ = true;  // what is read depends on it
                   mark_dirty("offers known");
                 },
                 [this](const Uuid& port, store::Revision revision) { times_.offered(port, revision); },
                 [this] { register_host(); }}) {
  links_.on_changed([this] { on_links(); });
  if (links_.ready()) free_uplinks();
}

// Both outlive it, and call nothing back from here on.
Agent::~Agent() {
  links_.on_changed([] {});
  datapath_.on_drift([](const std::string&) {});
}

void Agent::start() {
  subscription_ = store_.on_state([this](store::State state) {
    const bool up = state != store::State::disconnected;
    note_store(up);
    if (up)
      log::info("store {} answers{}", store_.uri(), state == store::State::new_session ? " (a new session)" : "");
    else
      log::warning("store {} does not answer: forwarding goes on as it was last read", store_.uri());
  });
  note_store(store_.state() != store::State::disconnected);
  if (!options_.hold.empty()) hold_.begin(options_.hold);
  claim_.start();
}

// No other agent has this host, or not any more.
void Agent::begin() {
  if (std::exchange(started_, true)) {
    nodes_.resume();
    offering_.start_writing();
    return;
  }
  datapath_.on_drift([this](const std::string& what) {
    drift_counter_.add();
    log::warning("another program changed what is ours: {}: repairing", what);
    mark_dirty("drift");
  });
  offering_.start();
  nodes_.put(paths::alive(options_.host), ephemeral(Rank::alive), claim_.record());
  register_host();
  if (links_.ready()) on_links();
  mark_dirty("start");
}

// What stood in the store before this agent wrote there.
void Agent::found(const std::string& path, const store::Node& node) {
  if (path != paths::alive(options_.host)) return report_.found(path, node.value);
  if (node.stat.owner == store_.session() || !claim_.is_rivals(node.value)) return;
  nodes_.pause();
  offering_.stop_writing();
  claim_.lost(node.value);
}

void Agent::register_host() {
  if (register_timer_.armed()) return;
  register_timer_ = loop_.after(registration_backoff.after(registrations_++), [this] {
    store::transact(
        store_,
        [this, alive = liveness_.token(), id = options_.host, name = options_.host_name](store::Transaction& t) {
          const auto there = t.get(paths::host(id));
          if (!there && there.error().code == Code::not_found && !alive.expired()) host_was_absent_ = true;
          return topology::register_host(t, id, name);
        },
        [this, alive = liveness_.token()](Result<store::Revision> result) {
          if (alive.expired()) return;
          if (!result) {
            log::warning("register host {}: {}: trying again", options_.host, result.error().message);
            return register_host();
          }
          registered(*result);
        });
  });
}

void Agent::registered(store::Revision revision) {
  if (revision != 0) log::info("registered host={} name={}", options_.host, options_.host_name);
  registrations_ = 0;
  // Before anything that is read below the host's new folders can be acted on.
  if (std::exchange(host_was_absent_, false)) hold_what_forwards();
  if (!claim_.held()) return;
  nodes_.start();
  offering_.start_writing();
}

// A host is deleted from a store only when no port is bound to it. So one that is gone while ports forward was lost, with
// all that its store had.
void Agent::hold_what_forwards() {
  if (reconciles_ == 0) datapath_.apply({}, datapath::Sweep::no);  // reads what an earlier agent left in the kernel
  const std::size_t ports = datapath_.counters().size();
  if (ports == 0) return;
  looked_since_hold_ = false;
  hold_.begin(fmt::format("store {} has lost this host and its bindings; what forwards here ({} {}) goes on",
                          store_.uri(), ports, ports == 1 ? "port" : "ports"));
}

// The store knows again all that forwards: there is nothing to keep against it.
void Agent::end_hold_if_known(const Plan& plan) {
  if (!hold_.on() || !looked_since_hold_ || reconciles_ == 0 || !snapshot_.complete || !snapshot_.peers_read ||
      !offering_.known())
    return;
  for (const datapath::PortCounters& port : datapath_.counters())
    if (!plan.desired.ports.contains(port.id)) return;
  log::info("store {} knows all ports that forward here: the hold ends", store_.uri());
  hold_.end();
}

void Agent::accept_store() {
  if (!hold_.on()) return;
  log::warning("the operator accepts what store {} says: what it does not know is removed from the kernel",
               store_.uri());
  hold_.end();
  mark_dirty("accepted");
}

void Agent::on_store() {
  store_dirty_ = true;
  if (!store_dirty_since_) store_dirty_since_ = Steady::now();
  mark_dirty("store");
}

// Hooks of an earlier agent on an interface that the host itself lives by may be what keeps this one from the store, so they
// go before it has said anything.
void Agent::free_uplinks() {
  if (snapshot_known_ || !links_.ready()) return;
  const netlink::RouteTable& routes = links_.routes(destinations({}, options_.overlay));
  datapath::Desired nothing;
  for (const auto& [ifindex, why] : uplinks(links_.links(), {}, {}, routes, options_.overlay)) {
    if (!datapath_.plugged(ifindex)) continue;
    const netlink::Link* link = links_.links().find(ifindex);
    log::warning("{} {}: our hooks go", link ? printable(link->name) : fmt::format("interface {}", ifindex), why);
    nothing.banned.insert(ifindex);
  }
  if (nothing.banned.empty()) return;
  for (const Error& error : datapath_.apply(nothing, datapath::Sweep::no).errors)
    log::warning("datapath: {}", error.message);
}

void Agent::use_store_servers(std::vector<Ip> servers) {
  if (servers == options_.overlay.store) return;
  options_.overlay.store = std::move(servers);
  if (!started_) return free_uplinks();
  mark_dirty("servers of the store");
}

void Agent::on_links() {
  if (!started_) return free_uplinks();
  if (!interfaces_timer_.armed())
    interfaces_timer_ = loop_.after(interfaces_delay, [this] {
      report_.interfaces(links_.links());
      if (links_.ready()) nodes_.sweep(static_cast<unsigned>(Rank::interface));
    });
  mark_dirty("links");
}

void Agent::mark_dirty(const char* why) {
  log::debug("dirty: {}", why);
  if (reconcile_timer_.armed()) return;
  const auto pause = std::max(free_at_ - Steady::now(), Steady::duration::zero());
  reconcile_timer_ = loop_.after(pause, [this] { reconcile(); });
}

void Agent::reconcile() {
  const auto begin = Steady::now();
  if ((store_dirty_ && !look_at_store()) || !snapshot_known_ || !links_.ready()) return free_uplinks();
  if (snapshot_.complete) {
    patience_.cancel();
    incomplete_since_.reset();
  } else {
    if (!incomplete_since_) incomplete_since_ = begin;
    const auto left = *incomplete_since_ + patience - begin;
    if (left > left.zero()) {
      if (!patience_.armed()) patience_ = loop_.after(left, [this] { mark_dirty("patience"); });
      return;
    }
  }

  const netlink::RouteTable& routes = links_.routes(routes_for(snapshot_, links_.links(), options_.overlay));
  Plan plan = make_plan(snapshot_, links_.links(), options_.overlay, offering_.learned(), offering_.heard(), routes);
  open_taps(plan.desired);
  note_migrations(plan);
  for (const std::string& warning : plan.warnings)
    if (std::find(plan_warnings_.begin(), plan_warnings_.end(), warning) == plan_warnings_.end())
      log::warning("{}", warning);
  plan_warnings_ = plan.warnings;
  const auto planned = Steady::now();
  times_.plan(planned - begin);
  apply(plan, planned);

  const auto end = Steady::now();
  ++reconciles_;
  reconcile_counter_.add();
  last_ = LastReconcile{options_.now(), end - begin};
  log::debug("reconciled: plan={:.2f}ms apply={:.2f}ms complete={}", seconds(planned - begin) * 1000,
             seconds(end - planned) * 1000, snapshot_.complete);
  free_at_ = end + std::min<Steady::duration>(end - begin, longest_pause);
}

// Closed taps that have gone, or that were put into a bridge meanwhile.
void Agent::open_taps(datapath::Desired& desired) const {
  for (const std::uint32_t ifindex : datapath_.closed()) {
    const netlink::Link* link = links_.links().find(ifindex);
    if (!link || link->master != 0) desired.banned.insert(ifindex);
  }
}

// False when nothing is known of the host's bindings yet.
bool Agent::look_at_store() {
  store_dirty_ = false;
  Snapshot next;
  bool listed = false;
  const Status outcome = mirror_.read([&](store::View& view) -> Status {
    auto read = read_snapshot(view, options_.host, snapshot_, offering_.stored());
    if (!read) return failed(std::move(read));
    next = *std::move(read);
    listed = true;
    if (!next.complete || !next.peers_read) return fail(Code::pending, "records are being read");
    return {};
  });
  if (!listed) {
    // What was known stays in force. A host that is gone from the store is made again; its watch then tells.
    if (outcome.error().code == Code::not_found && snapshot_known_) {
      log::warning("host {} is not in the store any more: registering it again", options_.host);
      register_host();
    }
    return snapshot_known_;
  }
  snapshot_ = std::move(next);
  snapshot_known_ = looked_since_hold_ = true;
  if (!snapshot_.ports.empty() && !std::exchange(store_noted_, true)) {
    if (auto noted = note_store_of_ports(options_.store_file, store_.identity()); !noted)
      log::warning("{}: a store in its place would not be noticed", noted.error().message);
  }
  complain();
  const auto now = Steady::now();
  if (snapshot_.complete && store_dirty_since_) {
    times_.mirror(now - *store_dirty_since_);
    times_.bound(snapshot_.ports, *store_dirty_since_);
    store_dirty_since_.reset();
  } else {
    times_.bound(snapshot_.ports, store_dirty_since_.value_or(now));
  }
  return true;
}

// Logs what is wrong with records that no port's status tells of, once.
void Agent::complain() {
  std::set<std::string> now;
  for (const std::string& name : snapshot_.foreign)
    now.insert(fmt::format("binding '{}' of this host is not the id of a port", name));
  for (const auto& [path, what] : snapshot_.damaged)
    now.insert(fmt::format("{}: {}: what was read there before stays in force", path, what));
  for (const std::string& complaint : now)
    if (!complaints_.contains(complaint)) log::warning("{}", complaint);
  complaints_ = std::move(now);
}

// Logs which ports wait for their guests; which are kept that other hosts have taken over, and why they go. One that went
// does not come back.
void Agent::note_migrations(const Plan& plan) {
  std::map<Uuid, Uuid> waiting;
  for (const PortPlan& port : plan.ports) {
    const auto before = standby_.find(port.id);
    if (!port.standby || port.undecided) {
      if (before != standby_.end()) log::info("port={}: its guest is here now", port.id);
      continue;
    }
    const Uuid& from = find_port(snapshot_, port.id)->taken_from->host_id;
    if (before == standby_.end())
      log::info("port={}: its guest runs on host={}, where frames go until it is heard here", port.id, from);
    waiting.emplace(port.id, from);
  }
  standby_ = std::move(waiting);

  std::map<Uuid, LingeringPlan> now;
  for (const LingeringPlan& port : plan.lingering) {
    const auto before = lingering_.find(port.id);
    if (port.taken_by && (before == lingering_.end() || before->second.taken_by != port.taken_by))
      log::info("port={} was taken over by host={}: kept on {} while its guest runs here", port.id, *port.taken_by,
                port.interface);
    now.emplace(port.id, port);
  }
  for (const auto& [id, port] : lingering_) {
    if (now.contains(id) || !port.taken_by) continue;
    const auto why = plan.over.find(id);
    log::info("port={} leaves {}: {}", id, port.interface,
              why != plan.over.end()     ? why->second
              : find_port(snapshot_, id) ? "it is bound here again"
                                         : "it is not on its way to another host any more");
  }
  std::erase_if(snapshot_.lingering, [&](const LingeringPort& port) { return plan.over.contains(port.id); });
  lingering_ = std::move(now);
  lingering_gauge_.set(static_cast<double>(lingering_.size()));
}

void Agent::note_store(bool answers) {
  connected_.set(answers ? 1 : 0);
  if (std::exchange(store_answers_, answers) != answers) store_since_ = options_.now();
}

void Agent::apply(const Plan& plan, Steady::time_point now) {
  // The first sweep also waits for what other hosts offer, which an earlier agent left in the kernel, and for what this host
  // offers: its guests may be on their way elsewhere. Later on nothing that was read of them is forgotten because more is
  // being read, and local changes do not wait for it.
  end_hold_if_known(plan);
  const bool sweep = !hold_.on() && snapshot_.complete && (swept_ || (snapshot_.peers_read && offering_.known()));
  const datapath::Applied applied = datapath_.apply(plan.desired, sweep ? datapath::Sweep::yes : datapath::Sweep::no);
  const auto end = Steady::now();
  times_.apply(end - now);
  closed_gauge_.set(static_cast<double>(datapath_.closed().size()));
  if (sweep && !std::exchange(swept_, true)) {
    log::info("synchronised: bindings={} plugged={} in {:.1f} ms", plan.ports.size(), plan.desired.ports.size(),
              seconds(end - now) * 1000);
    memory_timer_ = loop_.after(start_is_over, give_memory_back);
  }
  if (!applied.tunnel && (tunnel_.state || tunnel_.state.error() != applied.tunnel.error()))
    log::warning("the tunnel to other hosts: {}", applied.tunnel.error().message);
  tunnel_ = {plan.overlay, applied.tunnel};

  std::set<std::string> failed;
  for (const Error& error : applied.errors) {
    if (!retries_.contains(error.message)) log::warning("datapath: {}", error.message);
    failed.insert(error.message);
  }
  for (const auto& [id, status] : applied.ports)
    if (!status && status.error().code != Code::invalid && status.error().code != Code::not_found)
      failed.insert("port " + id.to_string());
  for (const auto& [id, what] : applied.preceded) failed.insert("port " + id.to_string());
  if (!applied.tunnel && applied.tunnel.error().code != Code::invalid) failed.insert("tunnel");
  retries_.attempted(failed, end);
  if (const auto next = retries_.next()) {
    retry_timer_ = loop_.after(*next - end, [this] {
      retry_counter_.add();
      mark_dirty("retry");
    });
  } else {
    retry_timer_.cancel();
  }
  say(plan, applied, end);
  std::set<Uuid> preceded;
  for (const auto& [id, what] : applied.preceded) preceded.insert(id);
  offering_.applied(plan, report_.current(), preceded);
}

// Active is what was read back from the kernel, for the interface that carries the name now.
PortStatus Agent::judge(const PortPlan& port, const datapath::Applied& applied) const {
  PortStatus out;
  out.state = port.state;
  out.reason = port.reason;
  out.revision = port.revision;
  out.ifindex = port.ifindex;
  if (tunnel_.overlay) out.mtu = tunnel_.overlay->mtu;
  if (port.state != PortState::active && port.state != PortState::down) return out;
  const auto answer = applied.ports.find(port.id);
  if (answer == applied.ports.end()) {
    out.state = PortState::error;
    out.reason = "the datapath says nothing about it";
  } else if (!answer->second) {
    // An interface that went between the look at the links and now: its event is on the way.
    const bool gone = answer->second.error().code == Code::not_found;
    out.state = gone ? PortState::pending_interface : PortState::error;
    out.reason = answer->second.error().message;
    if (gone) out.ifindex = 0;
  }
  // What is wrong with the tunnel alone leaves the port active: it reaches the others of this host.
  if (out.reason.empty() && tunnel_.overlay && !tunnel_.state)
    out.reason = fmt::format("other hosts are not reached: {}", tunnel_.state.error().message);
  if (const auto before = applied.preceded.find(port.id); before != applied.preceded.end()) {
    out.state = PortState::error;
    out.reason = before->second;
  }
  if (out.reason.empty()) out.reason = port.hint;
  return out;
}

// Whether the records behind this verdict are to be given a moment to come together.
bool Agent::in_doubt(const Uuid& port, store::Revision revision, Steady::time_point now) {
  const auto [at, fresh] = doubts_.try_emplace(port, revision, now);
  if (!fresh && at->second.first != revision) at->second = {revision, now};
  const auto left = at->second.second + doubt_time - now;
  if (left <= left.zero()) return false;
  if (!doubt_timer_.armed()) doubt_timer_ = loop_.after(left, [this] { mark_dirty("doubt"); });
  return true;
}

void Agent::say(const Plan& plan, const datapath::Applied& applied, Steady::time_point now) {
  const auto& current = report_.current();
  std::map<Uuid, PortStatus> statuses;
  std::set<Uuid> doubted;
  for (const PortPlan& port : plan.ports) {
    if (port.doubtful) doubted.insert(port.id);
    if (port.unknown || (port.doubtful && in_doubt(port.id, port.revision, now))) {
      // Nothing new to say; what was said stays, marked with the revision that it was about.
      if (const auto old = current.find(port.id); old != current.end()) statuses.emplace_hint(statuses.end(), *old);
      continue;
    }
    statuses.emplace_hint(statuses.end(), port.id, judge(port, applied));
  }
  for (const LingeringPlan& port : plan.lingering) {
    if (!port.doubtful) continue;
    doubted.insert(port.id);
    if (in_doubt(port.id, port.revision, now)) continue;
    // Another program removed the binding alone.
    std::erase_if(snapshot_.lingering, [&](const LingeringPort& one) { return one.id == port.id; });
    mark_dirty("doubt");
  }
  std::erase_if(doubts_, [&](const auto& doubt) { return !doubted.contains(doubt.first); });

  std::vector<Uuid> changed, gone;
  for (const auto& [id, status] : current)
    if (!statuses.contains(id)) gone.push_back(id);
  for (const Uuid& id : gone) report_.unbound(id);
  for (auto& [id, status] : statuses)
    if (report_.port(id, std::move(status))) changed.push_back(id);
  if (snapshot_.complete) nodes_.sweep(static_cast<unsigned>(Rank::status));
  for (const Uuid& id : changed) {
    const auto status = current.find(id);
    if (status == current.end()) continue;
    const PortStatus& is = status->second;
    const auto took = times_.said(id, is, plan.overlay.has_value(), now);
    const std::string line = fmt::format(
        "port={} revision={} interface={} ifindex={} state={}{}{}", id, is.revision, interface_of(id), is.ifindex,
        model::name(is.state), is.reason.empty() ? "" : " reason=", is.reason.empty() ? "" : '"' + is.reason + '"');
    if (is.state == PortState::error) {
      log::warning("{}", line);
    } else if (took) {
      log::info("{} after={:.2f}ms", line, seconds(*took) * 1000);
    } else {
      log::info("{}", line);
    }
  }
}

std::vector<std::string> Agent::warnings() const {
  std::vector<std::string> out = claim_.warnings();
  if (hold_.on())
    out.push_back(
        fmt::format("{}. Restore the store or make the bindings again; or `midonet agent accept` to remove from this "
                    "host what the store does not know",
                    hold_.reason()));
  out.insert(out.end(), complaints_.begin(), complaints_.end());
  out.insert(out.end(), plan_warnings_.begin(), plan_warnings_.end());
  out.insert(out.end(), report_.unpublished().begin(), report_.unpublished().end());
  for (std::string& refused : nodes_.refused()) out.push_back(std::move(refused));
  return out;
}

std::string Agent::interface_of(const Uuid& port) const {
  const auto at = std::lower_bound(snapshot_.ports.begin(), snapshot_.ports.end(), port,
                                   [](const BoundPort& bound, const Uuid& id) { return bound.id < id; });
  return at != snapshot_.ports.end() && at->id == port ? at->interface : std::string();
}

bool Agent::idle() const {
  return (swept_ || hold_.on()) && snapshot_.complete && !store_dirty_ && !reconcile_timer_.armed() &&
         !doubt_timer_.armed() && !interfaces_timer_.armed() && !register_timer_.armed() && retries_.empty() &&
         nodes_.settled() && offering_.settled() && snapshot_.peers_read;
}

}  // namespace midonet::agent
