#include "store/zookeeper_store.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/path.h"
#include "store/private_file.h"
#include "store/watch_table.h"
#include "store/zookeeper_call.h"
#include "store/zookeeper_commit.h"
#include "store/zookeeper_connection.h"
#include "store/zookeeper_error.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {
namespace {

using Clock = std::chrono::steady_clock;
using Names = std::vector<std::string>;
using Call = ZookeeperCall;
using CallPtr = std::shared_ptr<Call>;
using Watch = ZookeeperHandle::Watch;

// A store that may take no time at all still gets this for an answer to come over a network.
constexpr std::chrono::milliseconds least_patience(1000);

// How many calls are with the library at a time. It wakes its thread through a pipe, once for each call, and takes a
// full pipe (65,536) for a broken connection.
constexpr std::size_t max_in_flight = 8192;

// The library sets all watches again in one packet when it finds another server. When they would not fit (with a margin:
// those that nobody waits for any more are among them), it must not try: the connection would be closed each time.
constexpr std::size_t max_rearmed_bytes = 800'000;

}  // namespace

// What outlives the Store object while one of its callbacks destroys it.
class ZookeeperCalls : public std::enable_shared_from_this<ZookeeperCalls> {
 public:
  ZookeeperCalls(Loop& loop, const ZookeeperAddress& address, const OpenOptions& options)
      : loop_(loop), address_(address), patience_(std::max(options.patience, least_patience)) {}

  void start(const OpenOptions& options, std::string secret, ZookeeperSession resumed) {
    ZookeeperConnection::Listener listener;
    listener.up = told(&ZookeeperCalls::on_up);
    listener.down = told(&ZookeeperCalls::on_down);
    listener.dropped = told(&ZookeeperCalls::on_dropped);
    listener.event = told(&ZookeeperCalls::on_event);
    connection_ = std::make_shared<ZookeeperConnection>(loop_, address_, options, std::move(secret), std::move(resumed),
                                                        std::move(listener));
    connection_->start();
  }

  void end() {
    ended_ = true;
    deadline_.cancel();
    connection_->end();
    // Taken out first: what they own may call back when it is destroyed.
    const auto calls = std::exchange(calls_, {});
    const auto waiting = std::exchange(waiting_, {});
    const auto nodes = nodes_.take_all();
    const auto lists = lists_.take_all();
    const auto subscriptions = std::exchange(subscriptions_, {});
  }

  // --- calls ---

  void get(const std::string& path, Store::GetDone done, Store::Notify watch) {
    auto call = new_call(Call::Kind::get, path);
    call->get_done = std::move(done);
    call->watch = std::move(watch);
    if (auto well_formed = check_path(path); !well_formed) call->node = Result<NodePtr>(failed(well_formed));
    begin(call, call->node.has_value());
  }

  void list(const std::string& path, Store::ListDone done, Store::Notify watch) {
    auto call = new_call(Call::Kind::list, path);
    call->list_done = std::move(done);
    call->watch = std::move(watch);
    if (auto well_formed = check_path(path); !well_formed) call->names = Result<Names>(failed(well_formed));
    begin(call, call->names.has_value());
  }

  void commit(std::vector<Op> ops, Store::CommitDone done) {
    auto call = new_call(Call::Kind::commit, "/");
    call->commit_done = std::move(done);
    if (auto possible = check_zookeeper_commit(ops, address_.root); !possible) {
      call->revision = Result<Revision>(failed(possible));
    }
    call->ops = std::move(ops);
    begin(call, call->revision.has_value());
  }

  void backup(Store::BackupDone done) {
    loop_.post([weak = weak_from_this(), done = std::move(done)] {
      const auto self = weak.lock();
      if (!self || self->ended_) return;
      done(fail(Code::invalid, "back up {}: copy the data directory of one of its servers (docs/operating.md)",
                self->uri()));
    });
  }

  // Later, all that were released in one go at once.
  void release(const std::string& path) { release_full(full(path)); }

  Store::Subscription on_state(std::function<void(State)> changed) {
    auto subscription = std::make_shared<std::function<void(State)>>(std::move(changed));
    std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
    subscriptions_.push_back(subscription);
    return subscription;
  }

  State state() const { return state_; }
  std::int64_t session() const { return connection_->session(); }
  std::string uri() const { return address_.uri(); }

 private:
  // Whoever is told of something stays until it has been done, whatever that leads to.
  template <class... Args>
  std::function<void(Args...)> told(void (ZookeeperCalls::*what)(Args...)) {
    return [weak = weak_from_this(), what](Args... args) {
      if (const auto self = weak.lock(); self && !self->ended_) ((*self).*what)(args...);
    };
  }

  std::string full(const std::string& path) const { return path == "/" ? address_.root : address_.root + path; }

  CallPtr new_call(Call::Kind kind, const std::string& path) {
    auto call = std::make_shared<Call>(Call{kind});
    call->number = ++last_call_;
    call->path = path;
    call->deadline = Clock::now() + patience_;
    return call;
  }

  void begin(const CallPtr& call, bool answered) {
    calls_.push_back(call);
    if (answered) {
      call->stage = Call::Stage::answered;
      call->heard = true;
      // Those before it may all have been answered, so that nobody would come by.
      loop_.post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->tell();
      });
      return;
    }
    waiting_.emplace(call->number, call);
    ask_waiting();
    watch_deadline();
  }

  // --- asking ---

  ZookeeperHandle& handle() { return connection_->handle(); }

  void ask_waiting() {
    if (connection_->up() && !rooted_ && !waiting_.empty()) return look_for_root();
    while (connection_->up() && in_flight_ < max_in_flight && !waiting_.empty()) {
      const CallPtr call = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      if (call->stage == Call::Stage::waiting) ask(call);
    }
  }

  // Before the first call. Asked for before it is made: who may use it need not be allowed to make it.
  void look_for_root() {
    if (std::exchange(looking_for_root_, true)) return;
    handle().exists(address_.root, Watch::no, look([](ZookeeperCalls& self, int rc) {
                      if (rc == ZNONODE) return self.make_root();
                      self.have_root(rc, self.address_.root);
                    }));
  }

  // With what is above it, one by one. Others may do the same.
  void make_root() {
    std::vector<std::string> paths;
    for (std::string_view path = address_.root; path.size() > 1; path = parent_of(path)) paths.emplace_back(path);
    for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
      const bool last = *path == address_.root;
      handle().create(*path, look([path = *path, last](ZookeeperCalls& self, int rc) {
        const bool there = rc == ZOK || rc == ZNODEEXISTS;
        if (self.looking_for_root_ && (last || !there)) self.have_root(there ? ZOK : rc, path);
      }));
    }
  }

  ZookeeperHandle::Done look(std::function<void(ZookeeperCalls&, int)> have) {
    return [weak = weak_from_this(), have = std::move(have)](const ZookeeperReply& reply) {
      const auto self = weak.lock();
      if (!self || self->ended_) return;
      if (is_lost(reply.rc)) {
        self->looking_for_root_ = false;  // to be looked for again with the next connection
      } else {
        have(*self, reply.rc);
      }
    };
  }

  void have_root(int rc, const std::string& path) {
    looking_for_root_ = false;
    rooted_ = rc == ZOK;
    if (rooted_) return ask_waiting();
    Error error = op_error(rc, Op::create(path, ""));
    log::warning("store {}: {}", uri(), error.message);
    for (const auto& [number, call] : std::exchange(waiting_, {})) refuse(*call, error);
    tell();
  }

  void ask(const CallPtr& call) {
    call->stage = Call::Stage::asked;
    ++call->attempt;
    const Watch watch = call->watch ? Watch::yes : Watch::no;
    switch (call->kind) {
      case Call::Kind::get: return handle().get(full(call->path), watch, expect(call, &ZookeeperCalls::have_node));
      case Call::Kind::list:
        return handle().children(full(call->path), watch, expect(call, &ZookeeperCalls::have_names));
      case Call::Kind::commit: return call->committed ? ask_after_tick(call) : ask_commit(call);
      case Call::Kind::event: return;
    }
  }

  // Hands the answer on, unless the call was answered otherwise or asked again meanwhile.
  ZookeeperHandle::Done expect(const CallPtr& call, void (ZookeeperCalls::*have)(const CallPtr&, ZookeeperReply)) {
    ++in_flight_;
    return [weak = weak_from_this(), call, attempt = call->attempt, have](ZookeeperReply reply) {
      const auto self = weak.lock();
      if (!self || self->ended_) return;
      --self->in_flight_;
      if (call->attempt == attempt && call->stage == Call::Stage::asked) {
        if (is_lost(reply.rc)) {
          self->lost(call, reply.rc);
        } else {
          call->heard = true;
          ((*self).*have)(call, std::move(reply));
        }
      }
      self->tell();
      self->ask_waiting();
    };
  }

  void have_node(const CallPtr& call, ZookeeperReply reply) {
    if (reply.rc == ZNONODE && call->watch) return watch_for_creation(call);
    if (reply.rc == ZOK) {
      call->node = std::make_shared<const Node>(Node{std::move(reply.value), reply.stat});
      call->then = Call::Then::arm;
    } else {
      call->node = Result<NodePtr>(failed(read_error(reply.rc, call->path)));
    }
    call->stage = Call::Stage::answered;
  }

  void have_names(const CallPtr& call, ZookeeperReply reply) {
    if (reply.rc == ZNONODE && call->watch) return watch_for_creation(call);
    if (reply.rc == ZOK) {
      std::sort(reply.names.begin(), reply.names.end());
      call->names = std::move(reply.names);
      call->then = Call::Then::arm;
    } else {
      call->names = Result<Names>(failed(read_error(reply.rc, call->path)));
    }
    call->stage = Call::Stage::answered;
  }

  // A get or list of a node that is absent sets no watch in ZooKeeper; this one does. When the node is there by now, it
  // has been created after it was absent: that is what the watch is for.
  void watch_for_creation(const CallPtr& call) {
    handle().exists(full(call->path), Watch::yes, expect(call, &ZookeeperCalls::have_absence));
  }

  void have_absence(const CallPtr& call, ZookeeperReply reply) {
    const bool answer = reply.rc == ZOK || reply.rc == ZNONODE;
    Error error = read_error(answer ? ZNONODE : reply.rc, call->path);
    if (answer) call->then = reply.rc == ZOK ? Call::Then::fire : Call::Then::arm;
    if (call->kind == Call::Kind::get) {
      call->node = Result<NodePtr>(failed(std::move(error)));
    } else {
      call->names = Result<Names>(failed(std::move(error)));
    }
    call->stage = Call::Stage::answered;
  }

  void ask_commit(const CallPtr& call) {
    std::vector<Op> ops = call->ops;
    for (Op& op : ops) op.path = full(op.path);
    const bool told = std::any_of(ops.begin(), ops.end(), [](const Op& op) { return op.kind == Op::Kind::set; });
    const std::optional<CommitProbe> probe = told ? std::nullopt : commit_probe(call->ops);
    if (!told && !probe) std::ranges::move(commit_tick(address_.root), std::back_inserter(ops));
    handle().multi(std::move(ops), expect(call, &ZookeeperCalls::have_commit));
    // ZooKeeper tells the revision of a commit in the result of a set alone. Otherwise it is read, at once, where the
    // commit must have left it.
    if (told) return;
    handle().exists(full(probe ? probe->path : std::string("/")), Watch::no,
                    expect(call, probe && probe->created ? &ZookeeperCalls::have_created : &ZookeeperCalls::have_list));
  }

  // The commit was done, but what should have told its revision has gone since, or the connection did.
  void ask_after_tick(const CallPtr& call) {
    handle().multi(commit_tick(address_.root), expect(call, &ZookeeperCalls::have_tick));
    handle().exists(full("/"), Watch::no, expect(call, &ZookeeperCalls::have_list));
  }

  void have_commit(const CallPtr& call, ZookeeperReply reply) {
    if (reply.rc != ZOK) {
      call->revision = Result<Revision>(failed(commit_error(call->ops, reply)));
      call->stage = Call::Stage::answered;
    } else if (reply.revision != 0) {
      call->revision = reply.revision;
      call->stage = Call::Stage::answered;
    } else {
      call->committed = true;
    }
  }

  void have_tick(const CallPtr&, ZookeeperReply) {}

  void have_created(const CallPtr& call, ZookeeperReply reply) { have_revision(call, reply.rc, reply.stat.created); }
  void have_list(const CallPtr& call, ZookeeperReply reply) { have_revision(call, reply.rc, reply.children_modified); }
  void have_revision(const CallPtr& call, int rc, Revision revision) {
    if (rc == ZOK) {
      call->revision = revision;
    } else if (rc == ZNONODE && !std::exchange(call->ticked, true)) {
      return ask_after_tick(call);
    } else {
      call->revision = Result<Revision>(
          failed(Error{Code::unavailable, fmt::format("commit of {} operations, the first on {}: it was done, but "
                                                      "its revision cannot be read: {}",
                                                      call->ops.size(), call->ops.front().path, rc_text(rc))}));
    }
    call->stage = Call::Stage::answered;
  }

  // --- answers, in their turn ---

  void tell() {
    while (!calls_.empty() && calls_.front()->stage == Call::Stage::answered) {
      const CallPtr call = std::move(calls_.front());
      calls_.pop_front();
      tell(*call);
    }
  }

  // A callback may do anything, also destroy the Store.
  void tell(Call& call) {
    if (call.then == Call::Then::arm && call.watch) {
      WatchTable& watches = call.kind == Call::Kind::list ? lists_ : nodes_;
      const std::string path = full(call.path);
      if (watches.set(path, std::exchange(call.watch, {}))) rearmed_bytes_ += 4 + path.size();
    }
    switch (call.kind) {
      case Call::Kind::get: std::exchange(call.get_done, {})(*std::move(call.node)); break;
      case Call::Kind::list: std::exchange(call.list_done, {})(*std::move(call.names)); break;
      case Call::Kind::commit: std::exchange(call.commit_done, {})(*std::move(call.revision)); break;
      case Call::Kind::event: return fire(call.event, call.path);
    }
    if (call.then == Call::Then::fire && call.watch && !ended_) call.watch();
  }

  void on_event(ZookeeperEvent event, const std::string& path) {
    if (calls_.empty() || !calls_.front()->heard) return fire(event, path);
    // Answers that came before it are still held up by one that waits for a second look: it has its turn after them.
    auto call = std::make_shared<Call>(Call{Call::Kind::event});
    call->stage = Call::Stage::answered;
    call->heard = true;
    call->event = event;
    call->path = path;
    calls_.insert(std::find_if(calls_.begin(), calls_.end(), [](const CallPtr& c) { return !c->heard; }), call);
    tell();
  }

  void fire(ZookeeperEvent event, const std::string& path) {
    std::vector<Store::Notify> fired;
    const auto take = [&](WatchTable& watches) {
      auto taken = watches.take(path);
      if (!taken.empty()) rearmed_bytes_ -= std::min(rearmed_bytes_, 4 + path.size());
      std::move(taken.begin(), taken.end(), std::back_inserter(fired));
    };
    if (event != ZookeeperEvent::child) take(nodes_);
    if (event != ZookeeperEvent::changed) take(lists_);
    fire(fired);
  }

  void fire(const std::vector<Store::Notify>& fired) {
    for (const Store::Notify& notify : fired) {
      if (!ended_) notify();
    }
  }

  // --- watches that are not wanted any more ---

  void release_full(const std::string& path) {
    released_.insert(path);
    if (std::exchange(release_posted_, true)) return;
    loop_.post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->release_posted_ = false;
      if (!self->ended_) self->remove_released();
    });
  }

  void remove_released() {
    if (!connection_->up()) return;  // on_up() goes on
    // A watch that is on its way is one with the server, and would be removed along with the others.
    std::set<std::string> asked;
    for (const CallPtr& call : calls_)
      if (call->watch && call->kind != Call::Kind::event) asked.insert(full(call->path));
    for (const std::string& path : std::exchange(released_, {})) {
      if (asked.contains(path)) {
        released_.insert(path);
        continue;
      }
      for (WatchTable* table : {&nodes_, &lists_})
        if (table->release(path)) rearmed_bytes_ -= std::min(rearmed_bytes_, 4 + path.size());
      if (lists_.contains(path)) continue;  // one of a list may be on the node, for its creation
      remove_watches(path, nodes_.contains(path) ? ZookeeperHandle::WatchKind::child : ZookeeperHandle::WatchKind::any);
    }
  }

  void emptied(const std::string& path) {
    rearmed_bytes_ -= std::min(rearmed_bytes_, 4 + path.size());
    release_full(path);
  }

  void remove_watches(const std::string& path, ZookeeperHandle::WatchKind kind) {
    handle().remove_watches(path, kind, [weak = weak_from_this(), path](const ZookeeperReply& reply) {
      const auto self = weak.lock();
      if (!self || self->ended_) return;
      // The library sets it again with the next server.
      if (is_lost(reply.rc)) return static_cast<void>(self->released_.insert(path));
      if (reply.rc != ZOK && reply.rc != ZNOWATCHER)
        log::debug("store {}: remove the watches of {}: {}", self->uri(), path, rc_text(reply.rc));
    });
  }

  // --- what does not come ---

  void lost(const CallPtr& call, int rc) {
    if (call->kind == Call::Kind::commit && !call->committed) {
      call->heard = true;
      call->stage = Call::Stage::answered;
      call->revision = Result<Revision>(failed(
          Error{Code::unavailable,
                fmt::format("commit of {} operations, the first on {}: {}: the connection to {} was lost before the "
                            "answer came; whether it was done is not known",
                            call->ops.size(), call->ops.front().path, rc_text(rc), uri())}));
      return;
    }
    call->heard = false;
    call->stage = Call::Stage::waiting;
    waiting_.emplace(call->number, call);
  }

  void watch_deadline() {
    if (deadline_.armed()) return;
    const auto open = std::find_if(calls_.begin(), calls_.end(),
                                   [](const CallPtr& call) { return call->stage != Call::Stage::answered; });
    if (open == calls_.end()) return;
    deadline_ = loop_.after((*open)->deadline - Clock::now(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look_at_deadlines();
    });
  }

  void look_at_deadlines() {
    const auto now = Clock::now();
    for (const CallPtr& call : calls_) {
      if (call->stage == Call::Stage::answered) continue;
      if (call->deadline > now) break;  // and so are those after it
      give_up(*call);
    }
    tell();
    if (!ended_) watch_deadline();
  }

  void give_up(Call& call) {
    const bool commit = call.kind == Call::Kind::commit;
    const std::string what =
        commit ? fmt::format("commit of {} operations, the first on {}", call.ops.size(), call.ops.front().path)
               : fmt::format("node {}", call.path);
    const char* then = !commit                            ? ""
                       : call.stage == Call::Stage::asked ? "; whether it was done is not known"
                                                          : "; it was not sent";
    const std::string& problem = connection_->problem();
    waiting_.erase(call.number);
    refuse(call, {Code::unavailable, fmt::format("{}: none of ZooKeeper's servers answered within {} ms{}{}{}", what,
                                                 patience_.count(), then, problem.empty() ? "" : "; ", problem)});
  }

  static void refuse(Call& call, const Error& error) {
    call.stage = Call::Stage::answered;
    call.heard = true;
    if (call.kind == Call::Kind::get) {
      call.node = Result<NodePtr>(failed(error));
    } else if (call.kind == Call::Kind::list) {
      call.names = Result<Names>(failed(error));
    } else {
      call.revision = Result<Revision>(failed(error));
    }
  }

  // --- what becomes of the connection ---

  void on_up(bool another, bool watches_gone) {
    if (another) rooted_ = false;  // with all else, it may be gone
    set_state(another ? State::new_session : State::connected);
    if (ended_) return;
    state_ = State::connected;
    if (another || watches_gone) fire_all();
    if (ended_) return;
    remove_released();
    ask_waiting();
  }

  void on_down() {
    if (state_ == State::connected) set_state(State::disconnected);
    if (ended_ || rearmed_bytes_ <= max_rearmed_bytes) return;
    log::info("store {}: there are too many watches to set them all again at once; everything is read anew", uri());
    connection_->renew();
  }

  void on_dropped() {
    looking_for_root_ = false;
    in_flight_ = 0;
    for (const CallPtr& call : calls_) {
      if (call->stage != Call::Stage::asked) continue;
      ++call->attempt;
      lost(call, ZCONNECTIONLOSS);
    }
    tell();
    if (!ended_ && state_ == State::connected) set_state(State::disconnected);
  }

  void fire_all() {
    rearmed_bytes_ = 0;
    released_.clear();
    std::vector<Store::Notify> fired = nodes_.take_all();
    auto lists = lists_.take_all();
    std::move(lists.begin(), lists.end(), std::back_inserter(fired));
    fire(fired);
  }

  void set_state(State state) {
    state_ = state;
    for (const auto& weak : std::vector(subscriptions_)) {
      const auto subscription = weak.lock();
      if (subscription && !ended_) (*subscription)(state);
    }
  }

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
  WatchTable nodes_{[this](const std::string& path) { emptied(path); }};
  WatchTable lists_{[this](const std::string& path) { emptied(path); }};
  std::size_t rearmed_bytes_ = 0;
  std::set<std::string> released_;  // the servers' own paths
  bool release_posted_ = false;

  std::shared_ptr<ZookeeperConnection> connection_;
  bool rooted_ = false;  // the root is there
  bool looking_for_root_ = false;
  State state_ = State::disconnected;
  std::vector<std::weak_ptr<std::function<void(State)>>> subscriptions_;
};

namespace {

class ZookeeperStore : public Store {
 public:
  explicit ZookeeperStore(std::shared_ptr<ZookeeperCalls> calls) : calls_(std::move(calls)) {}
  ~ZookeeperStore() override { calls_->end(); }

  void get(const std::string& path, GetDone done, Notify watch) override {
    calls_->get(path, std::move(done), std::move(watch));
  }
  void list(const std::string& path, ListDone done, Notify watch) override {
    calls_->list(path, std::move(done), std::move(watch));
  }
  void commit(std::vector<Op> ops, CommitDone done) override { calls_->commit(std::move(ops), std::move(done)); }
  void release(const std::string& path) override { calls_->release(path); }
  void backup(BackupDone done) override { calls_->backup(std::move(done)); }
  [[nodiscard]] Subscription on_state(std::function<void(State)> changed) override {
    return calls_->on_state(std::move(changed));
  }
  State state() const override { return calls_->state(); }
  std::int64_t session() const override { return calls_->session(); }
  std::string uri() const override { return calls_->uri(); }

 private:
  const std::shared_ptr<ZookeeperCalls> calls_;
};

}  // namespace

Result<std::unique_ptr<Store>> connect_zookeeper(Loop& loop, const ZookeeperAddress& address,
                                                 const OpenOptions& options) {
  std::string secret;
  if (!options.secret_file.empty()) {
    auto read = read_secret(options.secret_file);
    if (!read) return failed(std::move(read));
    secret = *std::move(read);
  }
  ZookeeperSession resumed;
  if (!options.session_file.empty()) {
    auto read = read_session(options.session_file, options.session_owner);
    if (read) {
      resumed = *std::move(read);
    } else {
      log::warning("store {}: no session is resumed: {}", address.uri(), read.error().message);
    }
  }
  auto calls = std::make_shared<ZookeeperCalls>(loop, address, options);
  calls->start(options, std::move(secret), std::move(resumed));
  return std::make_unique<ZookeeperStore>(std::move(calls));
}

}  // namespace midonet::store
