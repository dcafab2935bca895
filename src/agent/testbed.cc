#include "agent/testbed.h"

#include <linux/if_arp.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "model/paths.h"
#include "model/record.h"
#include "store/layout.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/tunnel_zones.h"

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

CutStore::CutStore(Loop& loop, Sessions sessions)
    : loop_(loop), sessions_(std::move(sessions)), session_(sessions_()) {}

CutStore::~CutStore() = default;

template <class T>
std::function<void(Result<T>)> CutStore::tracked(std::function<void(Result<T>)> done) {
  const std::uint64_t number = ++next_;
  outstanding_[number] = [done] { done(fail(Code::unavailable, "the line is cut")); };
  if (state_ == State::disconnected) {
    loop_.post([this, alive = liveness_.token(), number] {
      if (alive.expired()) return;
      const auto at = outstanding_.find(number);
      if (at == outstanding_.end()) return;
      const auto answer = std::move(at->second);
      outstanding_.erase(at);
      answer();
    });
    return {};
  }
  return [this, alive = liveness_.token(), number, done](Result<T> result) {
    if (alive.expired() || outstanding_.erase(number) == 0) return;
    done(std::move(result));
  };
}

store::Store::Notify CutStore::passing(Notify watch) {
  if (!watch) return {};
  return [this, alive = liveness_.token(), epoch = epoch_, watch = std::move(watch)] {
    if (alive.expired() || epoch != epoch_) return;
    if (state_ == State::disconnected)
      late_watches_.push_back(watch);
    else
      watch();
  };
}

void CutStore::get(const std::string& path, GetDone done, Notify watch) {
  ++reads_;
  if (auto answer = tracked<store::NodePtr>(std::move(done))) session_->get(path, std::move(answer), passing(watch));
}

void CutStore::list(const std::string& path, ListDone done, Notify watch) {
  ++reads_;
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
    loop_.post([answer, error = commit_error_] { answer(failed(error)); });
    return;
  }
  const auto refused = [this](const store::Op& op) { return op.path.ends_with(refused_ending_); };
  if (!refused_ending_.empty() && std::any_of(ops.begin(), ops.end(), refused)) {
    loop_.post([answer, error = refused_error_] { answer(failed(error)); });
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
  loop_.post([this, alive = liveness_.token(), state] {
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
    session_ = sessions_();
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

void FakeLinks::add_address(const std::string& name, const Ip& ip) {
  if (const netlink::Link* link = table_.find(name)) table_.add_address(link->ifindex, ip);
  tell();
}

void FakeLinks::remove_address(const std::string& name, const Ip& ip) {
  if (const netlink::Link* link = table_.find(name)) table_.remove_address(link->ifindex, ip);
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

Cloud::Cloud(int count, Sessions given) : sessions(std::move(given)) {
  for (int n = 1; n <= count; ++n) {
    const auto id = Uuid::parse(fmt::format("00000000-aaaa-4000-8000-{:012x}", n));
    hosts.push_back(std::make_unique<TestHost>(loop, *id));
  }
  if (sessions) {
    other = sessions();
    return;
  }
  sessions = [this] { return database->session(); };
  lose_store();
}

void Cloud::lose_store() {
  auto opened = store::EmbeddedDatabase::open(loop, ":memory:", std::chrono::seconds(1));
  must(opened, "open the store");
  database = *std::move(opened);
  other = sessions();
  std::optional<Status> laid;
  store::ensure_layout(*other, [&](Status status) { laid = std::move(status); });
  if (!until([&] { return laid.has_value(); })) std::abort();
  must(*laid, "lay out the store");
}

Cloud::~Cloud() {
  for (const auto& host : hosts) stop(*host);
}

Status Cloud::verb(std::function<Status(store::Transaction&)> body) {
  std::optional<Result<store::Revision>> done;
  store::transact(*other, std::move(body), [&](Result<store::Revision> result) { done = std::move(result); });
  if (!until([&] { return done.has_value(); })) std::abort();
  if (!*done) return failed(*done);
  return {};
}

void Cloud::create_bridge(const Uuid& bridge) {
  model::Bridge record;
  record.id = bridge;
  record.name = "net";
  must(verb([=](store::Transaction& t) { return topology::create_bridge(t, record); }), "create a bridge");
}

Status Cloud::create_port(const Uuid& port, const Uuid& bridge, std::optional<Mac> mac) {
  model::Port record;
  record.id = port;
  record.bridge_id = bridge;
  record.mac_address = mac;
  return verb([=](store::Transaction& t) { return topology::create_port(t, record); });
}

Status Cloud::take(const Uuid& port, TestHost& at, const std::string& interface) {
  topology::AttachRequest request;
  request.port_id = port;
  request.host_id = at.id;
  request.interface_name = interface;
  request.takeover = topology::Takeover::allow;
  return verb([=](store::Transaction& t) -> Status {
    const auto attached = topology::attach(t, request);
    if (!attached) return failed(attached);
    return {};
  });
}

Status Cloud::detach(const Uuid& port) {
  return verb([=](store::Transaction& t) -> Status {
    const auto detached = topology::detach(t, port);
    if (!detached) return failed(detached);
    return {};
  });
}

Status Cloud::set(const std::string& path, const std::string& value) {
  return verb([=](store::Transaction& t) -> Status {
    const auto node = t.get(path);
    if (node)
      t.set(path, value);
    else if (node.error().code == Code::not_found)
      t.create(path, value);
    else
      return failed(node);
    return {};
  });
}

Status Cloud::remove(const std::string& path) {
  return verb([=](store::Transaction& t) -> Status {
    t.remove(path);
    return {};
  });
}

std::optional<store::Node> Cloud::node(const std::string& path) {
  std::optional<Result<store::NodePtr>> out;
  other->get(path, [&](Result<store::NodePtr> node) { out = std::move(node); });
  if (!until([&] { return out.has_value(); })) std::abort();
  if (!*out) return {};
  return ***out;
}

std::vector<std::string> Cloud::children(const std::string& path) {
  std::optional<Result<std::vector<std::string>>> out;
  other->list(path, [&](Result<std::vector<std::string>> names) { out = std::move(names); });
  if (!until([&] { return out.has_value(); })) std::abort();
  return out->value_or(std::vector<std::string>());
}

std::optional<model::PortStatus> Cloud::status(const TestHost& host, const Uuid& port) {
  const auto at = node(paths::status(host.id, port));
  if (!at) return {};
  const auto status = model::decode<model::PortStatus>(at->value);
  must(status, "read a status");
  return *status;
}

store::Revision Cloud::binding_revision(const TestHost& host, const Uuid& port) {
  const auto at = node(paths::binding(host.id, port));
  return at ? at->stat.modified : 0;
}

void Cloud::join(TestHost& at, const Uuid& zone, const std::string& ip) {
  const auto address = Ip::parse(ip);
  must(address, "an address");
  must(verb([&](store::Transaction& t) -> Status {
         const Uuid host = at.id;
         const auto known = topology::read_tunnel_zone(t, zone);
         if (!known && known.error().code == Code::not_found) {
           if (Status made = topology::create_tunnel_zone(t, {zone, zone.to_string()}); !made) return made;
         } else if (!known) {
           return failed(known);
         }
         if (Status there = topology::register_host(t, host, "h1"); !there) return there;
         return topology::add_tunnel_zone_host(t, zone, {host, *address});
       }),
       "join a tunnel zone");
  if (!at.links.links().find("eth0")) at.links.add("eth0");
  at.links.change("eth0", [&](netlink::Link& link) {
    link.kind.clear();
    link.mtu = 1550;
  });
  at.links.add_address("eth0", *address);
}

void Cloud::leave(TestHost& at, const Uuid& zone) {
  must(verb([&, host = at.id](store::Transaction& t) { return topology::remove_tunnel_zone_host(t, zone, host); }),
       "leave a tunnel zone");
}

void Cloud::join_all(const Uuid& zone) {
  for (std::size_t n = 0; n < hosts.size(); ++n) join(*hosts[n], zone, address(n));
}

void Cloud::start(TestHost& at) {
  if (!at.store) at.store = std::make_unique<CutStore>(loop, sessions);
  at.agent = std::make_unique<Agent>(loop, *at.store, at.links, at.kernel, at.registry,
                                     Agent::Options{.host = at.id,
                                                    .host_name = "h1",
                                                    .version = "test",
                                                    .overlay = at.overlay,
                                                    .hold_file = at.hold_file,
                                                    .mac_ageing = at.mac_ageing,
                                                    .now = [this] { return now; }});
  at.agent->start();
}

void Cloud::stop(TestHost& at, bool keep_session) {
  at.agent.reset();
  if (!keep_session) at.store.reset();
}

void Cloud::start_all() {
  for (const auto& host : hosts) start(*host);
}

bool Cloud::settle() {
  const auto idle = [&] {
    for (const auto& host : hosts)
      if (host->agent && !host->agent->idle()) return false;
    return true;
  };
  // What one agent has written is on its way to the others: all are idle, and the store has nothing more to tell them.
  while (true) {
    if (!until(idle)) return false;
    int before = 0, after = 0;
    const auto count = [&](int& sum) {
      for (const auto& host : hosts)
        if (host->store) sum += host->store->reads() + host->store->commits();
    };
    count(before);
    for (int turns = 0; turns < 4; ++turns) turn();
    count(after);
    if (before == after && idle()) return true;
  }
}

void Cloud::turn() {
  bool over = false;
  loop.post([&] { over = true; });
  if (!until([&] { return over; })) std::abort();
}

Status Testbed::attach(const Uuid& port, const std::string& interface) {
  topology::AttachRequest request;
  request.port_id = port;
  request.host_id = host;
  request.interface_name = interface;
  return verb([=](store::Transaction& t) -> Status {
    const auto attached = topology::attach(t, request);
    if (!attached) return failed(attached);
    return {};
  });
}

}  // namespace midonet::agent
