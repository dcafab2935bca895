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

#include <unistd.h>

namespace midonet::agent {

namespace paths = model::paths;
using model::PortState;
using model::PortStatus;

namespace {

// How long a look at the store may stay incomplete before what is known is applied without the rest.
constexpr std::chrono::milliseconds patience{20};
// Interfaces come and go in bunches; no client waits for them.
constexpr std::chrono::milliseconds interfaces_delay{100};
// A reconcile that took long is followed by a pause as long as it took, at most so long: a burst of changes becomes few
// reconciles, one change is not delayed.
constexpr std::chrono::milliseconds longest_pause{50};
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
      closed_gauge_(registry.gauge("midonet_agent_closed_taps",
                                   "Taps without a port that stay closed while their guests may run")),
      claim_(loop, store, options_.host,
             {.alive = {::getpid(), options_.version, rfc3339(options_.now())},
              .place = options_.place,
              .host_name = options_.host_name,
              .addresses = options_.addresses},
             {[this] { begin(); }, [this] { nodes_.resume(); }}),
      hold_(options_.hold_file),
      registration_(loop, store, options_.host, options_.host_name, [this](bool made) { registered(made); }),
      nodes_(loop, store, registry.counter("midonet_agent_report_commits_total", "Commits of statuses and interfaces"),
             registry.counter("midonet_agent_report_failures_total",
                              "Commits of statuses and interfaces that the store refused"),
             {{.path = paths::alive(options_.host), .kind = ephemeral(Rank::alive), .self = true},
              {.path = paths::statuses(options_.host), .kind = ephemeral(Rank::status), .children = true},
              {.path = paths::interfaces(options_.host), .kind = ephemeral(Rank::interface), .children = true}},
             {.found = [this](const std::string& path, const store::Node& node) { found(path, node); },
              .missing = [this](const std::string&) { registration_.start(); },
              .written = [this](const std::string& path) { times_.written(path); }}),
      report_(nodes_, registry, options_.host, options_.now),
      statuses_(loop, report_,
                [this] {
                  Scope scope;
                  for (const Uuid& id : statuses_.doubted()) mark_port_dirty(id, scope);
                  mark_dirty(scope, "doubt");
                }),
      migrations_(registry),
      mirror_(loop, store, [this] { on_store(); }),
      observer_(parts_, options_.host),
      store_since_(options_.now()),
      applier_(datapath),
      failures_(loop,
                [this](const std::set<Uuid>& ports, bool all) {
                  retry_counter_.add();
                  Scope again{.all = all};
                  for (const Uuid& id : ports) mark_port_dirty(id, again);
                  mark_dirty(again, "retry");
                }),
      offering_(loop, store, datapath, registry, observer_, options_.mac_ageing, options_.host,
                {[this](const Scope& scope, const char* why) { mark_dirty(scope, why); },
                 [this](const Scope& again) { on_offers(again); },
                 [this](const Uuid& port, store::Revision revision) { times_.offered(port, revision); },
                 [this] { registration_.start(); }}) {
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
    if (state == store::State::new_session) everything_due_ = true;
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
    mark_all_dirty("drift");
  });
  offering_.start();
  nodes_.put(paths::alive(options_.host), ephemeral(Rank::alive), claim_.record());
  registration_.start();
  if (links_.ready()) on_links();
  mark_all_dirty("start");
}

// What stood in the store before this agent wrote there.
void Agent::found(const std::string& path, const store::Node& node) {
  if (path != paths::alive(options_.host)) return report_.found(path, node.value);
  if (node.stat.owner == store_.session() || !claim_.is_rivals(node.value)) return;
  nodes_.pause();
  offering_.stop_writing();
  claim_.lost(node.value);
}

// The host's record and its folders are there; `made`: they were not before.
void Agent::registered(bool made) {
  // Before anything that is read below the host's new folders can be acted on.
  if (made) hold_what_forwards();
  if (!claim_.held()) return;
  nodes_.start();
  offering_.start_writing();
}

// A host is deleted from a store only when no port is bound to it. So one that is gone while ports forward was lost, with
// all that its store had.
void Agent::hold_what_forwards() {
  if (reconciles_ == 0) datapath_.apply({}, datapath::Sweep::no);  // reads what an earlier agent left in the kernel
  if (hold_.begin_for(datapath_, store_.uri())) looked_since_hold_ = false;
}

// The store knows again all that forwards: there is nothing to keep against it.
void Agent::end_hold_if_known(const Plan& plan) {
  if (!hold_.on() || !looked_since_hold_ || reconciles_ == 0 || !snapshot().all_known() || !offering_.known()) return;
  hold_.end_if_known(plan.desired, datapath_, store_.uri());
}

void Agent::accept_store() {
  if (!hold_.on()) return;
  log::warning("the operator accepts what store {} says: what it does not know is removed from the kernel",
               store_.uri());
  hold_.end();
  mark_all_dirty("accepted");
}

void Agent::on_store() {
  store_dirty_ = true;
  if (!store_dirty_since_) store_dirty_since_ = Steady::now();
  mark_dirty("store");
}

// Hooks of an earlier agent on an interface that the host itself lives by may be what keeps this one from the store, so they
// go before it has said anything.
void Agent::free_uplinks() {
  if (snapshot().own != Known::unread || !links_.ready()) return;
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
  underlay_dirty_ = true;
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
  underlay_dirty_ = true;  // also routes may have changed
  mark_dirty("links");
}

void Agent::mark_dirty(const char* why) {
  log::debug("dirty: {}", why);
  if (reconcile_timer_.armed()) return;
  const auto pause = std::max(free_at_ - Steady::now(), Steady::duration::zero());
  reconcile_timer_ = loop_.after(pause, [this] { reconcile(); });
}

void Agent::mark_dirty(const Scope& scope, const char* why) {
  due_.add(scope);
  mark_dirty(why);
}

void Agent::mark_all_dirty(const char* why) {
  everything_due_ = store_dirty_ = due_.all = true;
  mark_dirty(why);
}

// What is read of a bridge's hosts depends on what this host offers there.
void Agent::on_offers(const Scope& again) {
  if (again.all) return mark_all_dirty("offers known");
  for (const Uuid& bridge : again.bridges) reread_.insert(Observer::peers_of(bridge));
  store_dirty_ = store_dirty_ || !reread_.empty();
  mark_dirty(again, "offers");
}

void Agent::mark_port_dirty(const Uuid& id, Scope& scope) const {
  if (const BoundPort* bound = find_port(snapshot(), id)) observer_.concern_port(*bound, scope);
  const auto lingering = snapshot().lingering.find(id);
  if (lingering != snapshot().lingering.end()) scope.bridges.insert(lingering->second.bridge);
}

void Agent::reconcile() {
  const auto begin = Steady::now();
  if ((store_dirty_ && !look_at_store()) || snapshot().own == Known::unread || !links_.ready()) return free_uplinks();
  look_at_links();
  if (worth_waiting(begin)) return;

  const Scope scope = take_due();
  Plan plan = make_plan({snapshot(), observer_.index(), links_.links(), underlay_, options_.overlay,
                         offering_.learned(), offering_.heard(scope)},
                        scope);
  applier_.open_taps(plan.desired, links_.links());
  migrations_.note(plan, scope, snapshot());
  for (const auto& [id, why] : plan.over) let_go(id);
  const auto planned = Steady::now();
  times_.plan(planned - begin);
  apply(plan, scope, planned);
  changed_bindings_.clear();

  const auto end = Steady::now();
  ++reconciles_;
  reconcile_counter_.add();
  last_ = LastReconcile{options_.now(), end - begin};
  log::debug("reconciled: bridges={} ports={} plan={:.2f}ms apply={:.2f}ms complete={}",
             scope.all ? "all" : std::to_string(scope.bridges.size()), plan.ports.size(),
             seconds(planned - begin) * 1000, seconds(end - planned) * 1000, snapshot().own_known());
  free_at_ = end + std::min<Steady::duration>(end - begin, longest_pause);
}

// All of this host's own, and of a bridge that is new here the hosts to which the first broadcast of its port goes.
bool Agent::knows_enough() const {
  if (!snapshot().own_known()) return false;
  if (snapshot().zones.empty() || snapshot().others == Known::complete) return true;
  return std::all_of(due_.bridges.begin(), due_.bridges.end(), [this](const Uuid& id) {
    const auto bridge = snapshot().bridges.find(id);
    return bridge == snapshot().bridges.end() || bridge->second.peers_known != Known::unread;
  });
}

// What is known incompletely may be complete in a moment.
bool Agent::worth_waiting(Steady::time_point now) {
  if (knows_enough()) {
    patience_.cancel();
    incomplete_since_.reset();
    return false;
  }
  if (!incomplete_since_) incomplete_since_ = now;
  const auto left = *incomplete_since_ + patience - now;
  if (left <= left.zero()) return false;
  if (!patience_.armed()) patience_ = loop_.after(left, [this] { mark_dirty("patience"); });
  return true;
}

// False when nothing is known of the host's bindings yet.
bool Agent::look_at_store() {
  store_dirty_ = false;
  std::set<store::Mirror::Part> changed = mirror_.changed();
  changed.merge(std::exchange(reread_, {}));
  Observer::Changes changes = observer_.update(changed, offering_.stored(), std::exchange(everything_due_, false));
  due_.add(changes.concerned);
  if (changes.underlay) underlay_dirty_ = true;
  changed_bindings_.insert(changes.bindings.begin(), changes.bindings.end());
  if (snapshot().own == Known::unread) return false;
  // What was known stays in force. A host that is gone from the store is made again; its watch then tells.
  if (changes.lost) {
    log::warning("host {} is not in the store any more: registering it again", options_.host);
    registration_.start();
  }
  if (!observer_.lost()) looked_since_hold_ = true;
  if (!snapshot().ports.empty() && !std::exchange(store_noted_, true)) {
    if (auto noted = note_store_of_ports(options_.store_file, store_.identity()); !noted)
      log::warning("{}: a store in its place would not be noticed", noted.error().message);
  }
  complain();
  look_at_bindings(changes.bindings);
  return true;
}

void Agent::look_at_bindings(const std::set<Uuid>& changed) {
  const auto now = Steady::now();
  const auto seen = store_dirty_since_.value_or(now);
  for (const Uuid& id : changed) times_.bound(id, find_port(snapshot(), id), seen);
  if (!snapshot().own_known() || !store_dirty_since_) return;
  times_.mirror(now - *store_dirty_since_);
  store_dirty_since_.reset();
}

// Which bridges the changes of links concern.
void Agent::look_at_links() {
  const netlink::LinkTable& links = links_.links();
  if (links.version() != links_seen_) {
    const auto changed = links.changed_since(links_seen_);
    links_seen_ = links.version();
    if (!changed) due_.all = true;
    for (const std::string& name : changed.value_or(std::set<std::string>())) observer_.concern_link(name, links, due_);
  }
  if (!std::exchange(underlay_dirty_, false)) return;
  Underlay now = underlay_of(snapshot(), links, options_.overlay,
                             [this](const PeerAddresses& peers) -> const netlink::RouteTable& {
                               return links_.routes(destinations(peers, options_.overlay));
                             });
  if (now == underlay_) return;
  due_.all = true;
  for (const std::string& warning : now.warnings)
    if (std::find(underlay_.warnings.begin(), underlay_.warnings.end(), warning) == underlay_.warnings.end())
      log::warning("{}", warning);
  underlay_ = std::move(now);
}

// The first sweep also waits for what other hosts offer, which an earlier agent left in the kernel, and for what this host
// offers: its guests may be on their way elsewhere. Later on nothing that was read of them is forgotten because more is
// being read, and local changes do not wait for it.
bool Agent::may_sweep() const {
  return !hold_.on() && (swept_ ? snapshot().own_known() : snapshot().all_known() && offering_.known());
}

// Where a part is not certain to be enough, all is reconciled.
Scope Agent::take_due() {
  Scope scope = std::exchange(due_, {});
  scope.add(offering_.due());
  if (hold_.on() || reconciles_ == 0 || (!swept_ && may_sweep())) scope.all = true;
  return scope;
}

void Agent::let_go(const Uuid& lingering) {
  const bool all_known = snapshot().all_known();
  const Observer::Changes changes = observer_.let_go(lingering);
  if (changes.underlay) underlay_dirty_ = true;
  if (changes.underlay || !changes.concerned.empty() || all_known != snapshot().all_known())
    mark_dirty(changes.concerned, "let go");
}

// Logs what is wrong with records that no port's status tells of, once.
void Agent::complain() {
  std::set<std::string> now = complaints(snapshot());
  for (const std::string& complaint : now)
    if (!complaints_.contains(complaint)) log::warning("{}", complaint);
  complaints_ = std::move(now);
}

void Agent::note_store(bool answers) {
  connected_.set(answers ? 1 : 0);
  if (std::exchange(store_answers_, answers) != answers) store_since_ = options_.now();
}

void Agent::apply(const Plan& plan, const Scope& scope, Steady::time_point now) {
  end_hold_if_known(plan);
  const bool sweep = may_sweep();
  const datapath::Applied applied =
      applier_.apply(plan, scope, snapshot(), sweep ? datapath::Sweep::yes : datapath::Sweep::no);
  const auto end = Steady::now();
  times_.apply(end - now);
  closed_gauge_.set(static_cast<double>(datapath_.closed().size()));
  if (sweep && !std::exchange(swept_, true)) {
    log::info("synchronised: bindings={} plugged={} in {:.1f} ms", plan.ports.size(), plan.desired.ports.size(),
              seconds(end - now) * 1000);
    memory_timer_ = loop_.after(start_is_over, give_memory_back);
  }
  const bool tunnel_changed = tunnel_.state.has_value() != applied.tunnel.has_value() ||
                              (!applied.tunnel && tunnel_.state.error() != applied.tunnel.error());
  if (!applied.tunnel && tunnel_changed) log::warning("the tunnel to other hosts: {}", applied.tunnel.error().message);
  tunnel_ = {underlay_.overlay, applied.tunnel};
  if (tunnel_changed && !scope.all) mark_dirty({.all = true}, "tunnel");  // the statuses of all ports tell of it
  failures_.note(plan, scope, applied, snapshot(), end);
  say(plan, scope, applied, end);
  offering_.applied({plan, scope, underlay_.overlay, changed_bindings_, report_.current(), failures_.preceded()});
}

void Agent::say(const Plan& plan, const Scope& scope, const datapath::Applied& applied, Steady::time_point now) {
  std::set<Uuid> unbound;
  for (const Uuid& id : changed_bindings_)
    if (!snapshot().ports.contains(id)) unbound.insert(id);
  if (scope.all)
    for (const auto& [id, status] : report_.current())
      if (!snapshot().ports.contains(id)) unbound.insert(id);
  for (const Uuid& id : unbound) statuses_.unbound(id);
  const std::vector<Uuid> changed =
      statuses_.say(plan, applied, {tunnel_.overlay, tunnel_.state, failures_.preceded()}, now);
  for (const Uuid& id : statuses_.lost_bindings(plan, now)) {
    Scope again;
    mark_port_dirty(id, again);
    let_go(id);
    mark_dirty(again, "doubt");
  }
  if (snapshot().own_known()) nodes_.sweep(static_cast<unsigned>(Rank::status));
  for (const Uuid& id : changed)
    times_.said(id, report_.current().at(id), interface_of(id), underlay_.overlay.has_value(), now);
}

std::vector<std::string> Agent::warnings() const {
  std::vector<std::string> out = claim_.warnings();
  if (hold_.on()) out.push_back(hold_.warning());
  out.insert(out.end(), complaints_.begin(), complaints_.end());
  out.insert(out.end(), underlay_.warnings.begin(), underlay_.warnings.end());
  for (const auto& [name, sentence] : report_.unpublished()) out.push_back(sentence);
  for (std::string& refused : nodes_.refused()) out.push_back(std::move(refused));
  return out;
}

std::string Agent::interface_of(const Uuid& port) const {
  const BoundPort* bound = find_port(snapshot(), port);
  return bound ? bound->interface : std::string();
}

bool Agent::idle() const {
  return (swept_ || hold_.on()) && snapshot().all_known() && !store_dirty_ && due_.empty() &&
         !reconcile_timer_.armed() && !statuses_.in_doubt() && !interfaces_timer_.armed() && !registration_.waiting() &&
         failures_.empty() && nodes_.settled() && offering_.settled();
}

}  // namespace midonet::agent
