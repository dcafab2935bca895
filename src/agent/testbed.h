// For tests: an agent with a store that can be cut off, links that are made up, and the datapath that lives in memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "datapath/fake_datapath.h"
#include "netlink/monitor.h"
#include "store/embedded_store.h"
#include "store/transaction.h"

namespace midonet::agent {

// A session of an embedded database whose line can be cut. What was called and not answered is answered with
// `unavailable` when the line goes, whether it happened or not, as a network would have it.
class CutStore : public store::Store {
 public:
  CutStore(Loop& loop, std::shared_ptr<store::EmbeddedDatabase> database);
  ~CutStore() override;

  void cut();
  void restore(bool new_session);
  // The next commits are refused with this error, `times` times, unmade.
  void fail_commits(Error error, int times) { commit_error_ = std::move(error), commit_failures_ = times; }
  int commits() const { return commits_; }
  std::size_t largest_commit() const { return largest_commit_; }

  void get(const std::string& path, GetDone done, Notify watch) override;
  void list(const std::string& path, ListDone done, Notify watch) override;
  void commit(std::vector<store::Op> ops, CommitDone done) override;
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
  std::shared_ptr<store::EmbeddedDatabase> database_;
  std::unique_ptr<store::Store> session_;
  store::State state_ = store::State::connected;
  std::map<std::uint64_t, std::function<void()>> outstanding_;  // answers it with `unavailable`
  std::vector<std::function<void()>> late_watches_;             // that fired while the line was cut
  std::uint64_t next_ = 0;
  std::uint64_t epoch_ = 0;  // of the session: watches of older ones are lost
  std::vector<std::weak_ptr<std::function<void(store::State)>>> listeners_;
  Error commit_error_;
  int commit_failures_ = 0;
  int commits_ = 0;
  std::size_t largest_commit_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class FakeLinks : public netlink::LinkSource {
 public:
  explicit FakeLinks(Loop& loop) : loop_(loop) {}
  const netlink::LinkTable& links() const override { return table_; }
  bool ready() const override { return ready_; }
  void on_changed(std::function<void()> changed) override { changed_ = std::move(changed); }

  // A tap of this name with the next ifindex, up and with link.
  netlink::Link& add(const std::string& name);
  void remove(const std::string& name);
  void change(const std::string& name, const std::function<void(netlink::Link&)>& how);
  void set_ready(bool ready);
  void tell();

 private:
  Loop& loop_;
  netlink::LinkTable table_;
  bool ready_ = true;
  std::uint32_t next_ = 10;
  netlink::Link last_;
  std::function<void()> changed_;
  Timer timer_;
};

class Testbed {
 public:
  Testbed();
  ~Testbed();

  // Runs the verb on a session of its own, as another process would, and waits for it.
  Status verb(std::function<Status(store::Transaction&)> body);
  void create_bridge(const Uuid& bridge);
  Status create_port(const Uuid& port, const Uuid& bridge, std::optional<Mac> mac = {});
  Status attach(const Uuid& port, const std::string& interface);
  Status detach(const Uuid& port);
  Status set(const std::string& path, const std::string& value);  // also a damaged one
  Status remove(const std::string& path);
  std::optional<store::Node> node(const std::string& path);
  std::vector<std::string> children(const std::string& path);
  std::optional<model::PortStatus> status(const Uuid& port);
  store::Revision binding_revision(const Uuid& port);

  void start();  // a new agent, on the same kernel
  void stop();   // its session ends too
  void restart() { stop(), start(); }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, std::chrono::seconds(10)); }
  bool settle() {
    return until([&] { return agent->idle(); });
  }
  void turn();  // one turn of the loop: whatever is ready now

  const Uuid host = *Uuid::parse("00000000-aaaa-4000-8000-000000000001");
  Loop loop;
  Registry registry;
  std::shared_ptr<store::EmbeddedDatabase> database;
  std::unique_ptr<store::Store> other;  // the session of everybody else
  std::unique_ptr<CutStore> store;      // the agent's
  FakeLinks links{loop};
  datapath::FakeDatapath kernel;
  std::unique_ptr<Agent> agent;
  WallTime now{std::chrono::seconds(1'700'000'000)};
};

}  // namespace midonet::agent
