// For tests: agents with stores that can be cut off, links that are made up, and datapaths that live in memory. Cloud has any
// number of hosts on one database; Testbed is one host, with shorter words.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "base/liveness.h"
#include "datapath/fake_datapath.h"
#include "netlink/monitor.h"
#include "store/embedded_store.h"
#include "store/transaction.h"

namespace midonet::agent {

using Sessions = std::function<std::unique_ptr<store::Store>()>;

// A session of a store whose line can be cut. What was called and not answered is answered with
// `unavailable` when the line goes, whether it happened or not, as a network would have it.
class CutStore : public store::Store {
 public:
  CutStore(Loop& loop, Sessions sessions);
  ~CutStore() override;

  void cut();
  void restore(bool new_session);
  // The next commits are refused with this error, `times` times, unmade.
  void fail_commits(Error error, int times) { commit_error_ = std::move(error), commit_failures_ = times; }
  // From now on each commit with an operation on a path that ends so is refused, unmade. "" ends that.
  void refuse_paths(std::string ending, Error error) {
    refused_ending_ = std::move(ending), refused_error_ = std::move(error);
  }
  int commits() const { return commits_; }
  int reads() const { return reads_; }  // gets and lists
  std::size_t largest_commit() const { return largest_commit_; }

  void get(const std::string& path, GetDone done, Notify watch) override;
  void list(const std::string& path, ListDone done, Notify watch) override;
  void commit(std::vector<store::Op> ops, CommitDone done) override;
  void backup(BackupDone done) override { session_->backup(std::move(done)); }
  void release(const std::string& path) override { session_->release(path); }
  Subscription on_state(std::function<void(store::State)> changed) override;
  std::int64_t session() const override { return session_->session(); }
  store::State state() const override { return state_; }
  std::string uri() const override { return "cut:"; }

 private:
  template <class T>
  std::function<void(Result<T>)> tracked(std::function<void(Result<T>)> done);
  Notify passing(Notify watch);
  void announce(store::State state);

  Loop& loop_;
  Sessions sessions_;
  std::unique_ptr<store::Store> session_;
  store::State state_ = store::State::connected;
  std::map<std::uint64_t, std::function<void()>> outstanding_;  // answers it with `unavailable`
  std::vector<std::function<void()>> late_watches_;             // that fired while the line was cut
  std::uint64_t next_ = 0;
  std::uint64_t epoch_ = 0;  // of the session: watches of older ones are lost
  std::vector<std::weak_ptr<std::function<void(store::State)>>> listeners_;
  Error commit_error_;
  int commit_failures_ = 0;
  std::string refused_ending_;
  Error refused_error_;
  int commits_ = 0;
  int reads_ = 0;
  std::size_t largest_commit_ = 0;
  Liveness liveness_;
};

class FakeLinks : public netlink::LinkSource {
 public:
  explicit FakeLinks(Loop& loop) : loop_(loop) {}
  const netlink::LinkTable& links() const override { return table_; }
  bool ready() const override { return ready_; }
  const netlink::RouteTable& routes(const std::set<netlink::Destination>&) override { return routes_; }
  void on_changed(std::function<void()> changed) override { changed_ = std::move(changed); }

  // The route to an address, whatever the source.
  void route(const Ip& to, netlink::Route route) {
    routes_[{to, {}}] = std::move(route);
    tell();
  }
  // A tap of this name with the next ifindex, up and with link.
  netlink::Link& add(const std::string& name);
  void remove(const std::string& name);
  void change(const std::string& name, const std::function<void(netlink::Link&)>& how);
  void add_address(const std::string& name, const Ip& ip);
  void remove_address(const std::string& name, const Ip& ip);
  void set_ready(bool ready);
  void tell();

 private:
  Loop& loop_;
  netlink::LinkTable table_;
  netlink::RouteTable routes_;
  bool ready_ = true;
  std::uint32_t next_ = 10;
  netlink::Link last_;
  std::function<void()> changed_;
  Timer timer_;
};

// One host of a cloud: its kernel and its links outlive its agent.
struct TestHost {
  TestHost(Loop& loop, const Uuid& host) : id(host), links(loop) {}
  const Uuid id;
  Registry registry;
  FakeLinks links;
  datapath::FakeDatapath kernel;
  std::unique_ptr<CutStore> store;  // the agent's
  std::unique_ptr<Agent> agent;
  OverlayOptions overlay;
  std::chrono::seconds mac_ageing{300};
  std::string hold_file;
};

class Cloud {
 public:
  // On an embedded database of its own, or on whatever store `sessions` are of, laid out already.
  explicit Cloud(int hosts, Sessions sessions = {});
  ~Cloud();

  // Runs the verb on a session of its own, as another process would, and waits for it.
  Status verb(std::function<Status(store::Transaction&)> body);
  void create_bridge(const Uuid& bridge);
  Status create_port(const Uuid& port, const Uuid& bridge, std::optional<Mac> mac = {});
  // Moves the port if it is elsewhere, as mm-ctl does.
  Status take(const Uuid& port, TestHost& at, const std::string& interface);
  Status detach(const Uuid& port);
  Status set(const std::string& path, const std::string& value);  // also a damaged one
  Status remove(const std::string& path);
  std::optional<store::Node> node(const std::string& path);
  std::vector<std::string> children(const std::string& path);
  std::optional<model::PortStatus> status(const TestHost& at, const Uuid& port);
  store::Revision binding_revision(const TestHost& at, const Uuid& port);

  // The host's address in the zone; its interface "eth0" carries it, with an MTU of 1550.
  void join(TestHost& at, const Uuid& zone, const std::string& ip);
  void leave(TestHost& at, const Uuid& zone);
  static std::string address(std::size_t host) { return fmt::format("192.0.2.{}", host + 1); }
  void join_all(const Uuid& zone);  // each with its address()

  void start(TestHost& at);                            // a new agent, on the same kernel
  void stop(TestHost& at, bool keep_session = false);  // a kept session is resumed by the next start
  void restart(TestHost& at, bool keep_session = false) { stop(at, keep_session), start(at); }
  void start_all();
  // The store loses its data: another one, laid out and empty, is in its place for every session from the next one on.
  void lose_store();
  bool until(const std::function<bool()>& done) { return loop.run_until(done, std::chrono::seconds(20)); }
  // Every agent has done all that there is to do, and no event is under way.
  bool settle();
  void turn();  // one turn of the loop: whatever is ready now

  Loop loop;
  std::shared_ptr<store::EmbeddedDatabase> database;
  Sessions sessions;
  std::unique_ptr<store::Store> other;  // the session of everybody else
  std::vector<std::unique_ptr<TestHost>> hosts;
  WallTime now{std::chrono::seconds(1'700'000'000)};
};

class Testbed : public Cloud {
 public:
  Testbed() : Cloud(1) {}

  Status attach(const Uuid& port, const std::string& interface);
  std::optional<model::PortStatus> status(const Uuid& port) { return Cloud::status(one, port); }
  store::Revision binding_revision(const Uuid& port) { return Cloud::binding_revision(one, port); }
  void start() { Cloud::start(one); }
  void stop(bool keep_session = false) { Cloud::stop(one, keep_session); }
  void restart() { Cloud::restart(one); }

  TestHost& one = *hosts.front();
  const Uuid& host = one.id;
  Registry& registry = one.registry;
  std::unique_ptr<CutStore>& store = one.store;
  FakeLinks& links = one.links;
  datapath::FakeDatapath& kernel = one.kernel;
  std::unique_ptr<Agent>& agent = one.agent;
};

}  // namespace midonet::agent
