#include "agent/publish/offers.h"

#include <algorithm>
#include <utility>

#include "agent/publish/store_delay.h"
#include "base/log.h"
#include "model/paths.h"

namespace midonet::agent {

namespace paths = model::paths;
using Steady = std::chrono::steady_clock;

namespace {
std::optional<std::int64_t> number(const std::string& name) {
  if (name.empty() || name.size() > 9 || name.find_first_not_of("0123456789") != std::string::npos) return {};
  return std::stoll(name);
}
}  // namespace

Offers::Offers(Loop& loop, store::Store& store, Registry& registry, const Uuid& host, Events events)
    : loop_(loop),
      store_(store),
      host_(host),
      events_(std::move(events)),
      commits_(registry.counter("midonet_agent_offer_commits_total", "Commits of what this host offers to others")),
      failures_(registry.counter("midonet_agent_offer_failures_total",
                                 "Commits of what this host offers that the store refused")),
      bridges_(registry.gauge("midonet_agent_offered_bridges", "Bridges on which this host offers ports to others")) {
  subscription_ = store_.on_state([this](store::State state) { on_state(state); });
}

Offers::~Offers() = default;

void Offers::start() {
  if (!std::exchange(started_, true)) return look();
  if (!place_) look_again();
}

void Offers::stop() {
  started_ = looked_ = false;
  ++look_;
  retry_.cancel();
}

void Offers::want(std::optional<model::BridgeHost> self, std::map<Uuid, WantedBridge> bridges, bool complete) {
  const bool all = !told_ || self != self_ || (complete && !complete_);
  told_ = true;
  complete_ = complete;
  self_ = std::move(self);
  const auto changed = [this](const Uuid& bridge) {
    dirty_.insert(bridge);
    troubles_.erase(bridge);
  };
  for (const auto& [bridge, wanted] : bridges) {
    const auto old = wanted_.find(bridge);
    if (old == wanted_.end() || old->second != wanted) changed(bridge);
  }
  for (const auto& [bridge, wanted] : wanted_)
    if (!bridges.contains(bridge)) changed(bridge);
  wanted_ = std::move(bridges);
  if (all) dirty_all();
  pump_soon();
}

void Offers::look_again() {
  if (started_ && looked_ && !in_flight_) look();
}

bool Offers::settled() const { return looked_ && dirty_.empty() && !in_flight_ && (!told_ || !new_place()); }

// Where this host is reached, for who binds a port here and tells the others (topology/attach.cc). None: as it stands.
std::optional<std::string> Offers::new_place() const {
  if (!place_ || (!self_ && !complete_)) return {};
  std::string place = self_ ? encode(*self_) : "";
  if (place == place_) return {};
  return place;
}

void Offers::dirty_all() {
  for (const auto& [bridge, own] : own_) dirty_.insert(bridge);
  for (const auto& [bridge, wanted] : wanted_) dirty_.insert(bridge);
}

void Offers::on_state(store::State state) {
  if (!started_ || state == store::State::disconnected) return;
  failed_ = 0;
  retry_.cancel();
  // A commit that is under way is answered in any case, and is followed by a look when it failed.
  if (!in_flight_ && (state == store::State::new_session || !looked_))
    look();
  else
    pump_soon();
}

// Reads what stands in the store: by the index, and where a commit was refused also without.
void Offers::look() {
  if (!started_) return;
  ++look_;
  looked_ = look_failed_ = false;
  looking_ = 0;
  own_.clear();
  place_.reset();
  const auto unindexed = alone_;
  store_.get(paths::served_bridges(host_),
             expect<store::NodePtr>([this](const store::NodePtr& node) { place_ = node->value; }));
  store_.list(paths::served_bridges(host_), expect<std::vector<std::string>>(
                                                [this](std::vector<std::string> names) {
                                                  for (const std::string& name : names) {
                                                    const auto bridge = Uuid::parse(name);
                                                    if (!bridge || bridge->to_string() != name) continue;
                                                    own_[*bridge].indexed = true;
                                                    if (!alone_.contains(*bridge)) look_at(*bridge);
                                                  }
                                                },
                                                events_.lost));
  for (const Uuid& bridge : unindexed) look_at(bridge);
}

void Offers::look_at(const Uuid& bridge) {
  const std::string path = paths::bridge_host(bridge, host_);
  store_.get(path, expect<store::NodePtr>([this, bridge](const store::NodePtr& node) {
               OwnBridge& own = own_[bridge];
               own.there = true;
               own.version = node->stat.version;
               own.value = node->value;
             }));
  store_.list(path, expect<std::vector<std::string>>([this, bridge](const std::vector<std::string>& names) {
                for (const std::string& name : names)
                  if (const auto chunk = number(name)) look_at(bridge, *chunk);
              }));
}

void Offers::look_at(const Uuid& bridge, std::int64_t chunk) {
  const std::string path = paths::child(paths::bridge_host(bridge, host_), std::to_string(chunk));
  store_.get(path, expect<store::NodePtr>([this, bridge, chunk, path](const store::NodePtr& node) {
               OwnChunk& own = own_[bridge].chunks[chunk];
               own.version = node->stat.version;
               own.value = node->value;
               if (auto offered = model::decode_offer_chunk(node->value))
                 own.ports = std::move(offered->ports);
               else
                 log::warning("{}: {}: it is written anew", path, offered.error().message);
             }));
}

// The callback of one read of a look. What is absent is absent; what cannot be read spoils the look.
template <class T>
std::function<void(Result<T>)> Offers::expect(std::function<void(T)> found, std::function<void()> absent) {
  ++looking_;
  return [this, alive = std::weak_ptr(alive_), look = look_, found = std::move(found),
          absent = std::move(absent)](Result<T> result) {
    if (alive.expired() || look != look_) return;
    if (result)
      found(*std::move(result));
    else if (result.error().code != Code::not_found)
      look_failed_ = true;
    else if (absent)
      absent();
    if (--looking_ == 0) looked();
  };
}

void Offers::looked() {
  if (look_failed_) return try_later();
  looked_ = true;
  dirty_all();
  if (events_.known) events_.known();
  pump_soon();
}

// From the loop, so that all that is wanted in one go is sent in one go, and after the statuses of the same turn.
void Offers::pump_soon() {
  if (!looked_ || !told_ || in_flight_ || pump_timer_.armed() || (dirty_.empty() && !new_place())) return;
  if (store_.state() == store::State::disconnected) return;
  pump_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { pump(); });
}

void Offers::pump() {
  if (!looked_ || in_flight_) return;
  std::vector<store::Op> ops;
  std::vector<Uuid> bridges;
  std::vector<std::pair<Uuid, store::Revision>> offered;
  std::size_t bytes = 0;
  std::optional<Steady::time_point> next;
  const auto now = Steady::now();
  static const WantedBridge nothing;
  const auto place = new_place();
  if (place) ops.push_back(store::Op::set(paths::served_bridges(host_), *place));
  for (auto at = dirty_.begin(); at != dirty_.end();) {
    const Uuid bridge = *at;
    if (const auto trouble = troubles_.find(bridge); trouble != troubles_.end() && trouble->second.not_before > now) {
      next = std::min(next.value_or(trouble->second.not_before), trouble->second.not_before);
      ++at;
      continue;
    }
    const bool alone = alone_.contains(bridge);
    if (ops.size() + least_offer_ops > limits.ops || bytes >= limits.bytes || (alone && !ops.empty())) break;
    const auto wanted = wanted_.find(bridge);
    OfferStep step = offer_step(host_, bridge, own_[bridge], self_, wanted == wanted_.end() ? nothing : wanted->second,
                                complete_, {limits.ops - ops.size(), limits.bytes - bytes});
    at = step.more ? std::next(at) : dirty_.erase(at);
    if (own_.at(bridge).value.empty() && !own_.at(bridge).indexed) own_.erase(bridge);
    if (step.ops.empty()) {
      alone_.erase(bridge);
      troubles_.erase(bridge);
      continue;
    }
    bytes += step.bytes;
    bridges.push_back(bridge);
    offered.insert(offered.end(), step.offered.begin(), step.offered.end());
    ops.insert(ops.end(), std::make_move_iterator(step.ops.begin()), std::make_move_iterator(step.ops.end()));
    if (step.more || alone) break;
  }
  bridges_.set(static_cast<double>(own_.size()));
  if (ops.empty()) {
    failed_ = 0;
    if (next) retry_ = loop_.after(*next - now, [this] { pump_soon(); });
    return;
  }
  in_flight_ = true;
  commits_.add();
  if (place) place_ = *place;
  store_.commit(std::move(ops), [this, alive = std::weak_ptr(alive_), bridges = std::move(bridges),
                                 offered = std::move(offered)](const Result<store::Revision>& result) {
    if (!alive.expired()) committed(bridges, offered, result);
  });
}

void Offers::committed(const std::vector<Uuid>& bridges, const std::vector<std::pair<Uuid, store::Revision>>& offered,
                       const Result<store::Revision>& result) {
  in_flight_ = false;
  if (result) {
    failed_ = 0;
    for (const Uuid& bridge : bridges) {
      alone_.erase(bridge);
      troubles_.erase(bridge);
    }
    if (events_.offered)
      for (const auto& [port, revision] : offered) events_.offered(port, revision);
    return pump_soon();
  }

  failures_.add();
  looked_ = false;
  for (const Uuid& bridge : bridges) dirty_.insert(bridge);
  if (result.error().code == Code::unavailable) {
    if (failed_ > 0) log::warning("offering ports to other hosts: {}: trying again", result.error().message);
    return try_later();
  }
  // Somebody else changed one of the nodes, or what was to be offered is not bound here any more (which is being heard of).
  alone_.insert(bridges.begin(), bridges.end());
  if (bridges.size() == 1) {
    Trouble& trouble = troubles_[bridges.front()];
    if (++trouble.failures > 1)
      log::warning("offering ports of bridge {} to other hosts: {}: trying again", bridges.front(),
                   result.error().message);
    trouble.not_before = Steady::now() + delay(trouble.failures);
  }
  look();
}

void Offers::try_later() {
  retry_ = loop_.after(failed_ == 0 ? std::chrono::nanoseconds(0) : delay(failed_), [this] { look(); });
  ++failed_;
}

// Growing, and different for each host: what failed for many at once is not tried again by all at once.
std::chrono::nanoseconds Offers::delay(unsigned failures) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(store_delay(failures)) *
         std::uniform_int_distribution<int>(500, 1000)(random_) / 1000;
}

}  // namespace midonet::agent
