// The calls of a ZookeeperStore: asked in the order in which they were made, told in that order, given up at their deadline. It
// outlives the Store while one of its callbacks destroys that. On the loop's thread.
//
// zookeeper_requests.cc has what is asked of the servers and what they answer, zookeeper_calls.cc all else.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "store/store.h"
#include "store/uri.h"
#include "store/zookeeper_address.h"
#include "store/zookeeper_call.h"
#include "store/zookeeper_connection.h"
#include "store/zookeeper_handle.h"
#include "store/zookeeper_watches.h"

namespace midonet::store {

class ZookeeperCalls : public std::enable_shared_from_this<ZookeeperCalls> {
 public:
  ZookeeperCalls(Loop& loop, const ZookeeperAddress& address, const OpenOptions& options);

  void start(const OpenOptions& options, std::string secret, ZookeeperSession resumed);
  void end();

  // --- calls ---

  void get(const std::string& path, Store::GetDone done, Store::Notify watch);
  void list(const std::string& path, Store::ListDone done, Store::Notify watch);
  void commit(std::vector<Op> ops, Store::CommitDone done);
  void backup(Store::BackupDone done);
  // Later, all that were released in one go at once.
  void release(const std::string& path) { watches_.release(full(path)); }

  Store::Subscription on_state(std::function<void(State)> changed);
  State state() const { return state_; }
  std::int64_t session() const { return connection_->session(); }
  std::string uri() const { return address_.uri(); }

 private:
  // This stays until `what` has been done, whatever that leads to.
  template <class... Args>
  std::function<void(Args...)> told(void (ZookeeperCalls::*what)(Args...)) {
    return [weak = weak_from_this(), what](Args... args) {
      if (const auto self = weak.lock(); self && !self->ended_) ((*self).*what)(args...);
    };
  }

  std::string full(const std::string& path) const { return path == "/" ? address_.root : address_.root + path; }

  CallPtr new_call(ZookeeperCall::Kind kind, const std::string& path);
  void begin(const CallPtr& call, bool answered);

  // --- asking ---

  ZookeeperHandle& handle() { return connection_->handle(); }

  void ask_waiting();
  // Before the first call. The root is looked up before it is made: a client that may use it need not be allowed to make it.
  void look_for_root();
  // With what is above it, one by one. Others may do the same.
  void make_root();
  ZookeeperHandle::Done look(std::function<void(ZookeeperCalls&, int)> have);
  void have_root(int rc, const std::string& path);
  void ask(const CallPtr& call);
  // Hands the answer on, unless the call was answered otherwise or asked again meanwhile.
  ZookeeperHandle::Done expect(const CallPtr& call, void (ZookeeperCalls::*have)(const CallPtr&, ZookeeperReply));
  void have_node(const CallPtr& call, ZookeeperReply reply);
  void have_names(const CallPtr& call, ZookeeperReply reply);
  // A get or list of a node that is absent sets no watch in ZooKeeper; this one does. When the node is there by now, it
  // has been created after it was absent: that is what the watch is for.
  void watch_for_creation(const CallPtr& call);
  void have_absence(const CallPtr& call, ZookeeperReply reply);
  void ask_commit(const CallPtr& call);
  // The commit was done, but what should have told its revision has gone since, or the connection did.
  void ask_after_tick(const CallPtr& call);
  void have_commit(const CallPtr& call, ZookeeperReply reply);
  void have_tick(const CallPtr&, ZookeeperReply) {}

  void have_created(const CallPtr& call, ZookeeperReply reply) { have_revision(call, reply.rc, reply.stat.created); }
  void have_list(const CallPtr& call, ZookeeperReply reply) { have_revision(call, reply.rc, reply.children_modified); }
  void have_revision(const CallPtr& call, int rc, Revision revision);

  // --- answers, in their turn ---

  void tell();
  // A callback may do anything, also destroy the Store.
  void tell(ZookeeperCall& call);
  void on_event(ZookeeperEvent event, const std::string& path);
  void fire(ZookeeperEvent event, const std::string& path) { fire(watches_.take(event, path)); }

  void fire(const std::vector<Store::Notify>& fired);

  // --- watches that are not wanted any more ---

  void remove_released_later();
  void remove_released();
  void remove_watches(const std::string& path, ZookeeperHandle::WatchKind kind);

  // --- what does not come ---

  void lost(const CallPtr& call, int rc);
  void watch_deadline();
  void look_at_deadlines();
  void give_up(ZookeeperCall& call);
  static void refuse(ZookeeperCall& call, const Error& error);

  // --- what becomes of the connection ---

  void on_up(bool another, bool watches_gone);
  void on_down();
  void on_dropped();
  void set_state(State state);

  Loop& loop_;
  const ZookeeperAddress address_;
  const std::chrono::milliseconds patience_;
  bool ended_ = false;

  std::uint64_t last_call_ = 0;
  std::deque<CallPtr> calls_;  // in the order in which they are told
  std::map<std::uint64_t, CallPtr>
      waiting_;  // those of them that are to be asked, in the order in which they were made
  std::size_t in_flight_ = 0;
  Timer deadline_;
  ZookeeperWatches watches_{[this] { remove_released_later(); }};
  bool release_posted_ = false;

  std::shared_ptr<ZookeeperConnection> connection_;
  bool rooted_ = false;  // the root is there
  bool looking_for_root_ = false;
  State state_ = State::disconnected;
  std::vector<std::weak_ptr<std::function<void(State)>>> subscriptions_;
};

}  // namespace midonet::store
