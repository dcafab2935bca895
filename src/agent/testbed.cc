#include "agent/testbed.h"

#include <linux/if_arp.h>

#include <cstdlib>
#include <utility>

#include "model/paths.h"
#include "model/record.h"
#include "store/layout.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/ports.h"

namespace midonet::agent {

namespace paths = model::paths;
using store::State;

namespace {

// A step of a test that must not fail.
template <class T>
void must(const Result<T>& result, const char* what) {
  if (result) return;
  fmt::print(stderr, "{}: {}\n", what, result.error().message);
  std::abort();
}

}  // namespace

CutStore::CutStore(Loop& loop, std::shared_ptr<store::EmbeddedDatabase> database)
    : loop_(loop), database_(std::move(database)), session_(database_->session()) {}

CutStore::~CutStore() = default;

template <class T>
std::function<void(Result<T>)> CutStore::tracked(std::function<void(Result<T>)> done) {
  const std::uint64_t number = ++next_;
  outstanding_[number] = [done] { done(fail(Code::unavailable, "the line is cut")); };
  if (state_ == State::disconnected) {
    loop_.post([this, alive = std::weak_ptr(alive_), number] {
      if (alive.expired()) return;
      const auto at = outstanding_.find(number);
      if (at == outstanding_.end()) return;
      const auto answer = std::move(at->second);
      outstanding_.erase(at);
      answer();
    });
    return {};
  }
  return [this, alive = std::weak_ptr(alive_), number, done](Result<T> result) {
    if (alive.expired() || outstanding_.erase(number) == 0) return;
    done(std::move(result));
  };
}

store::Store::Notify CutStore::passing(Notify watch) {
  if (!watch) return {};
  return [this, alive = std::weak_ptr(alive_), epoch = epoch_, watch = std::move(watch)] {
    if (alive.expired() || epoch != epoch_) return;
    if (state_ == State::disconnected)
      late_watches_.push_back(watch);
    else
      watch();
  };
}

void CutStore::get(const std::string& path, GetDone done, Notify watch) {
  if (auto answer = tracked<store::NodePtr>(std::move(done))) session_->get(path, std::move(answer), passing(watch));
}

void CutStore::list(const std::string& path, ListDone done, Notify watch) {
  if (auto answer = tracked<std::vector<std::string>>(std::move(done)))
    session_->list(path, std::move(answer), passing(watch));
}

void CutStore::commit(std::vector<store::Op> ops, CommitDone done) {
  ++commits_;
  largest_commit_ = std::max(largest_commit_, ops.size());
  auto answer = tracked<store::Revision>(std::move(done));
  if (!answer) return;
  if (commit_failures_ > 0) {
    --commit_failures_;
    loop_.post([answer, error = commit_error_] { answer(tl::unexpected(error)); });
    return;
  }
  session_->commit(std::move(ops), std::move(answer));
}

store::Store::Subscription CutStore::on_state(std::function<void(State)> changed) {
  auto listener = std::make_shared<std::function<void(State)>>(std::move(changed));
  listeners_.push_back(listener);
  return listener;
}

void CutStore::announce(State state) {
  state_ = state == State::new_session ? State::connected : state;
  loop_.post([this, alive = std::weak_ptr(alive_), state] {
    if (alive.expired()) return;
    const auto listeners = listeners_;
    for (const auto& weak : listeners)
      if (const auto listener = weak.lock()) (*listener)(state);
  });
}

void CutStore::cut() {
  if (state_ == State::disconnected) return;
  announce(State::disconnected);
  for (auto& [number, answer] : std::exchange(outstanding_, {})) loop_.post(std::move(answer));
}

void CutStore::restore(bool new_session) {
  if (state_ != State::disconnected) return;
  if (new_session) {
    ++epoch_;
    late_watches_.clear();
    session_.reset();
    session_ = database_->session();
    announce(State::new_session);
  } else {
    announce(State::connected);
    for (auto& watch : std::exchange(late_watches_, {})) loop_.post(std::move(watch));
  }
}

netlink::Link& FakeLinks::add(const std::string& name) {
  remove(name);
  last_ = {};
  last_.ifindex = next_++;
  last_.name = name;
  last_.hardware_type = ARPHRD_ETHER;
  last_.kind = "tun";
  last_.up = last_.carrier = true;
  last_.mtu = 1500;
  table_.put(last_);
  tell();
  return last_;
}

void FakeLinks::remove(const std::string& name) {
  if (const netlink::Link* link = table_.find(name)) table_.remove(link->ifindex);
  tell();
}

void FakeLinks::change(const std::string& name, const std::function<void(netlink::Link&)>& how) {
  const netlink::Link* link = table_.find(name);
  if (link == nullptr) return;
  netlink::Link changed = *link;
  how(changed);
  table_.put(changed);
  tell();
}

void FakeLinks::set_ready(bool ready) {
  ready_ = ready;
  tell();
}

void FakeLinks::tell() {
  if (timer_.armed()) return;
  timer_ = loop_.after(std::chrono::nanoseconds(0), [this] {
    if (changed_ && ready_) changed_();
  });
}

Testbed::Testbed() {
  auto opened = store::EmbeddedDatabase::open(loop, ":memory:", std::chrono::seconds(1));
  must(opened, "open the store");
  database = *std::move(opened);
  other = database->session();
  std::optional<Status> laid;
  store::ensure_layout(*other, [&](Status status) { laid = std::move(status); });
  if (!until([&] { return laid.has_value(); })) std::abort();
  must(*laid, "lay out the store");
}

Testbed::~Testbed() { stop(); }

Status Testbed::verb(std::function<Status(store::Transaction&)> body) {
  std::optional<Result<store::Revision>> done;
  store::transact(*other, std::move(body), [&](Result<store::Revision> result) { done = std::move(result); });
  if (!until([&] { return done.has_value(); })) std::abort();
  if (!*done) return tl::unexpected<Error>(done->error());
  return {};
}

void Testbed::create_bridge(const Uuid& bridge) {
  model::Bridge record;
  record.id = bridge;
  record.name = "net";
  must(verb([=](store::Transaction& t) { return topology::create_bridge(t, record); }), "create a bridge");
}

Status Testbed::create_port(const Uuid& port, const Uuid& bridge, std::optional<Mac> mac) {
  model::Port record;
  record.id = port;
  record.bridge_id = bridge;
  record.mac_address = mac;
  return verb([=](store::Transaction& t) { return topology::create_port(t, record); });
}

Status Testbed::attach(const Uuid& port, const std::string& interface) {
  topology::AttachRequest request;
  request.port_id = port;
  request.host_id = host;
  request.interface_name = interface;
  return verb([=](store::Transaction& t) -> Status {
    const auto attached = topology::attach(t, request);
    if (!attached) return tl::unexpected<Error>(attached.error());
    return {};
  });
}

Status Testbed::detach(const Uuid& port) {
  return verb([=](store::Transaction& t) -> Status {
    const auto detached = topology::detach(t, port);
    if (!detached) return tl::unexpected<Error>(detached.error());
    return {};
  });
}

Status Testbed::set(const std::string& path, const std::string& value) {
  return verb([=](store::Transaction& t) -> Status {
    const auto node = t.get(path);
    if (node)
      t.set(path, value);
    else if (node.error().code == Code::not_found)
      t.create(path, value);
    else
      return tl::unexpected<Error>(node.error());
    return {};
  });
}

Status Testbed::remove(const std::string& path) {
  return verb([=](store::Transaction& t) -> Status {
    t.remove(path);
    return {};
  });
}

std::optional<store::Node> Testbed::node(const std::string& path) {
  std::optional<Result<store::NodePtr>> out;
  other->get(path, [&](Result<store::NodePtr> node) { out = std::move(node); });
  if (!until([&] { return out.has_value(); })) std::abort();
  if (!*out) return {};
  return ***out;
}

std::vector<std::string> Testbed::children(const std::string& path) {
  std::optional<Result<std::vector<std::string>>> out;
  other->list(path, [&](Result<std::vector<std::string>> names) { out = std::move(names); });
  if (!until([&] { return out.has_value(); })) std::abort();
  return out->value_or(std::vector<std::string>());
}

std::optional<model::PortStatus> Testbed::status(const Uuid& port) {
  const auto at = node(paths::status(host, port));
  if (!at) return {};
  const auto status = model::decode<model::PortStatus>(at->value);
  must(status, "read a status");
  return *status;
}

store::Revision Testbed::binding_revision(const Uuid& port) {
  const auto at = node(paths::binding(host, port));
  return at ? at->stat.modified : 0;
}

void Testbed::start() {
  store = std::make_unique<CutStore>(loop, database);
  agent = std::make_unique<Agent>(
      loop, *store, links, kernel, registry,
      Agent::Options{.host = host, .host_name = "h1", .version = "test", .now = [this] { return now; }});
  agent->start();
}

void Testbed::stop() {
  agent.reset();
  store.reset();
}

void Testbed::turn() {
  bool over = false;
  loop.post([&] { over = true; });
  if (!until([&] { return over; })) std::abort();
}

}  // namespace midonet::agent
