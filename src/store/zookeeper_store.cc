#include "store/zookeeper_store.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/name_lookup.h"
#include "store/path.h"
#include "store/private_file.h"
#include "store/watch_table.h"
#include "store/zookeeper_call.h"
#include "store/zookeeper_commit.h"
#include "store/zookeeper_error.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {
namespace {

using Clock = std::chrono::steady_clock;
using Names = std::vector<std::string>;
using Call = ZookeeperCall;
using CallPtr = std::shared_ptr<Call>;
using Watch = ZookeeperHandle::Watch;
using Connection = ZookeeperHandle::Connection;

// A store that may take no time at all still gets this for an answer to come over a network.
constexpr std::chrono::milliseconds least_patience(1000);
// Between handles: a new session, or another look for servers' names. Doubled each time, and less by up to a half.
constexpr std::chrono::milliseconds first_delay(100);
constexpr std::chrono::milliseconds last_delay(10'000);

// An attempt at a connection that has lasted from one look at it to the next is given up. The library alone waits for two
// thirds of the session time-out, and that is what some attempts come to: a ZooKeeper 3.8 server that is on its own and
// starting takes connections before it has its database, fails inside when it turns them away, and leaves them open
// without a word; and a machine that is gone does not refuse. A server that is asked again gets three times as long: it
// may only be slow.
constexpr std::chrono::milliseconds first_look(1000);

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
  ZookeeperCalls(Loop& loop, const ZookeeperAddress& address, const OpenOptions& options, std::string secret,
                 ZookeeperSession resumed)
      : loop_(loop),
        address_(address),
        options_(options),
        secret_(std::move(secret)),
        patience_(std::max(options.patience, least_patience)),
        resumed_(std::move(resumed)) {}

  void start() { look_for_servers(); }

  void end() {
    ended_ = true;
    lookup_.reset();
    retry_.cancel();
    deadline_.cancel();
    attempt_.cancel();
    if (handle_ && !options_.session_file.empty()) handle_->leave_session();
    handle_.reset();
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
    if (auto well_formed = check_path(path); !well_formed)
      call->node = Result<NodePtr>(tl::unexpect, well_formed.error());
    begin(call, call->node.has_value());
  }

  void list(const std::string& path, Store::ListDone done, Store::Notify watch) {
    auto call = new_call(Call::Kind::list, path);
    call->list_done = std::move(done);
    call->watch = std::move(watch);
    if (auto well_formed = check_path(path); !well_formed)
      call->names = Result<Names>(tl::unexpect, well_formed.error());
    begin(call, call->names.has_value());
  }

  void commit(std::vector<Op> ops, Store::CommitDone done) {
    auto call = new_call(Call::Kind::commit, "/");
    call->commit_done = std::move(done);
    if (auto possible = check_zookeeper_commit(ops, address_.root); !possible) {
      call->revision = Result<Revision>(tl::unexpect, possible.error());
    }
    call->ops = std::move(ops);
    begin(call, call->revision.has_value());
  }

  Store::Subscription on_state(std::function<void(State)> changed) {
    auto subscription = std::make_shared<std::function<void(State)>>(std::move(changed));
    std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
    subscriptions_.push_back(subscription);
    return subscription;
  }

  State state() const { return state_; }
  std::int64_t session() const { return session_.id; }
  std::string uri() const { return address_.uri(); }

 private:
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

  void ask_waiting() {
    if (up_ && !rooted_ && !waiting_.empty()) return look_for_root();
    while (up_ && in_flight_ < max_in_flight && !waiting_.empty()) {
      const CallPtr call = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      if (call->stage == Call::Stage::waiting) ask(call);
    }
  }

  // Before the first call. Asked for before it is made: who may use it need not be allowed to make it.
  void look_for_root() {
    if (std::exchange(looking_for_root_, true)) return;
    handle_->exists(address_.root, Watch::no, look([](ZookeeperCalls& self, int rc) {
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
      handle_->create(*path, look([path = *path, last](ZookeeperCalls& self, int rc) {
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
      case Call::Kind::get: return handle_->get(full(call->path), watch, expect(call, &ZookeeperCalls::have_node));
      case Call::Kind::list:
        return handle_->children(full(call->path), watch, expect(call, &ZookeeperCalls::have_names));
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
      call->node = Result<NodePtr>(tl::unexpect, read_error(reply.rc, call->path));
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
      call->names = Result<Names>(tl::unexpect, read_error(reply.rc, call->path));
    }
    call->stage = Call::Stage::answered;
  }

  // A get or list of a node that is absent sets no watch in ZooKeeper; this one does. When the node is there by now, it
  // has been created after it was absent: that is what the watch is for.
  void watch_for_creation(const CallPtr& call) {
    handle_->exists(full(call->path), Watch::yes, expect(call, &ZookeeperCalls::have_absence));
  }

  void have_absence(const CallPtr& call, ZookeeperReply reply) {
    const bool answer = reply.rc == ZOK || reply.rc == ZNONODE;
    Error error = read_error(answer ? ZNONODE : reply.rc, call->path);
    if (answer) call->then = reply.rc == ZOK ? Call::Then::fire : Call::Then::arm;
    if (call->kind == Call::Kind::get) {
      call->node = Result<NodePtr>(tl::unexpect, std::move(error));
    } else {
      call->names = Result<Names>(tl::unexpect, std::move(error));
    }
    call->stage = Call::Stage::answered;
  }

  void ask_commit(const CallPtr& call) {
    std::vector<Op> ops = call->ops;
    for (Op& op : ops) op.path = full(op.path);
    const bool told = std::any_of(ops.begin(), ops.end(), [](const Op& op) { return op.kind == Op::Kind::set; });
    const std::optional<CommitProbe> probe = told ? std::nullopt : commit_probe(call->ops);
    if (!told && !probe) std::ranges::move(commit_tick(address_.root), std::back_inserter(ops));
    handle_->multi(std::move(ops), expect(call, &ZookeeperCalls::have_commit));
    // ZooKeeper tells the revision of a commit in the result of a set alone. Otherwise it is read, at once, where the
    // commit must have left it.
    if (told) return;
    handle_->exists(full(probe ? probe->path : std::string("/")), Watch::no,
                    expect(call, probe && probe->created ? &ZookeeperCalls::have_created : &ZookeeperCalls::have_list));
  }

  // The commit was done, but what should have told its revision has gone since, or the connection did.
  void ask_after_tick(const CallPtr& call) {
    handle_->multi(commit_tick(address_.root), expect(call, &ZookeeperCalls::have_tick));
    handle_->exists(full("/"), Watch::no, expect(call, &ZookeeperCalls::have_list));
  }

  void have_commit(const CallPtr& call, ZookeeperReply reply) {
    if (reply.rc != ZOK) {
      call->revision = Result<Revision>(tl::unexpect, commit_error(call->ops, reply));
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
          tl::unexpect,
          Error{Code::unavailable, fmt::format("commit of {} operations, the first on {}: it was done, but "
                                               "its revision cannot be read: {}",
                                               call->ops.size(), call->ops.front().path, rc_text(rc))});
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

  // --- what does not come ---

  void lost(const CallPtr& call, int rc) {
    if (call->kind == Call::Kind::commit && !call->committed) {
      call->heard = true;
      call->stage = Call::Stage::answered;
      call->revision = Result<Revision>(
          tl::unexpect,
          Error{Code::unavailable,
                fmt::format("commit of {} operations, the first on {}: {}: the connection to {} was lost before the "
                            "answer came; whether it was done is not known",
                            call->ops.size(), call->ops.front().path, rc_text(rc), uri())});
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
    waiting_.erase(call.number);
    refuse(call, {Code::unavailable, fmt::format("{}: none of ZooKeeper's servers answered within {} ms{}{}{}", what,
                                                 patience_.count(), then, problem_.empty() ? "" : "; ", problem_)});
  }

  static void refuse(Call& call, const Error& error) {
    call.stage = Call::Stage::answered;
    call.heard = true;
    if (call.kind == Call::Kind::get) {
      call.node = Result<NodePtr>(tl::unexpect, error);
    } else if (call.kind == Call::Kind::list) {
      call.names = Result<Names>(tl::unexpect, error);
    } else {
      call.revision = Result<Revision>(tl::unexpect, error);
    }
  }

  // --- sessions and connections ---

  void look_for_servers() {
    lookup_ = look_up(loop_, address_.servers, [weak = weak_from_this()](const Result<Names>& servers) {
      const auto self = weak.lock();
      if (!self || self->ended_) return;
      self->lookup_.reset();
      if (servers) self->servers_ = *servers;
      const Status opened = servers ? self->open_handle() : Status(tl::unexpect, servers.error());
      if (opened) return;
      self->problem_ = opened.error().message;
      log::warning("store {}: {}", self->uri(), self->problem_);
      self->try_later();
    });
  }

  // At random, so that servers share their clients; those that have left us without an answer are the last.
  Names in_order(Names servers) {
    std::shuffle(servers.begin(), servers.end(), random_);
    std::stable_partition(servers.begin(), servers.end(),
                          [&](const std::string& server) { return !silent_servers_.contains(server); });
    return servers;
  }

  Status open_handle() {
    const ZookeeperSession& session = session_.id != 0 && !session_over_ ? session_ : resumed_;
    auto handle = ZookeeperHandle::open(loop_, in_order(servers_), options_.session_timeout, session, secret_,
                                        {[weak = weak_from_this()](Connection connection) {
                                           if (const auto self = weak.lock(); self && !self->ended_)
                                             self->on_connection(connection);
                                         },
                                         [weak = weak_from_this()](ZookeeperEvent event, const std::string& path) {
                                           if (const auto self = weak.lock(); self && !self->ended_)
                                             self->on_event(event, path);
                                         }});
    if (!handle) return tl::unexpected<Error>(std::move(handle).error());
    handle_ = *std::move(handle);
    fresh_handle_ = true;
    watch_attempts();
    return {};
  }

  void watch_attempts() {
    attempting_ = false;
    // Then the library is as quick.
    if (2 * look_ >= options_.session_timeout * 2 / 3) return attempt_.cancel();
    look_later();
  }

  void look_later() {
    attempt_ = loop_.after(look_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look_at_attempt();
    });
  }

  void look_at_attempt() {
    const bool attempting = handle_->attempting();
    if (!std::exchange(attempting_, attempting) || !attempting) return look_later();
    const std::string server = handle_->server();
    problem_ = fmt::format("{} does not answer", server);
    log::info("store {}: {}; trying anew", uri(), problem_);
    if (!silent_servers_.insert(server).second) {
      silent_servers_ = {server};
      look_ *= 3;
    }
    handle_->try_anew(in_order(servers_));
    watch_attempts();
  }

  // With its handle goes what is under way.
  void drop_handle() {
    up_ = looking_for_root_ = false;
    attempt_.cancel();
    handle_.reset();
    in_flight_ = 0;
    for (const CallPtr& call : calls_) {
      if (call->stage != Call::Stage::asked) continue;
      ++call->attempt;
      lost(call, ZCONNECTIONLOSS);
    }
    tell();
  }

  void try_later() {
    std::uniform_int_distribution<std::int64_t> jitter(delay_.count() / 2, delay_.count());
    retry_ = loop_.after(std::chrono::milliseconds(jitter(random_)), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look_for_servers();
    });
    delay_ = std::min(delay_ * 2, last_delay);
  }

  void on_connection(Connection connection) {
    switch (connection) {
      case Connection::up: return on_up();
      case Connection::down: return on_down();
      case Connection::expired: return on_expired();
      case Connection::auth_failed:
        problem_ = "the servers do not accept the secret";
        log::error("store {}: {}", uri(), problem_);
        return on_expired();
    }
  }

  void on_up() {
    const ZookeeperSession session = handle_->session();
    const bool another = session_.id != 0 && session.id != session_.id;
    log::info("store {}: connected to {}, session {:#x}{}, time-out {} ms", uri(), handle_->server(),
              static_cast<std::uint64_t>(session.id),
              another                                         ? ", a new one"
              : session_.id == 0 && session.id == resumed_.id ? ", resumed"
                                                              : "",
              handle_->session_timeout().count());
    resumed_ = {};
    problem_.clear();
    session_over_ = false;
    delay_ = first_delay;
    look_ = first_look;
    silent_servers_.clear();
    attempt_.cancel();
    if (session != session_) {
      session_ = session;
      save_session();
    }
    up_ = true;
    // A server may be behind what another one told this session, or the process that it was resumed from.
    if (std::exchange(fresh_handle_, false)) handle_->sync(address_.root, [](const ZookeeperReply&) {});
    const bool watches_gone = std::exchange(watches_gone_, false) || another;
    set_state(another ? State::new_session : State::connected);
    if (ended_) return;
    state_ = State::connected;
    if (watches_gone) fire_all();
    if (!ended_) ask_waiting();
  }

  void on_down() {
    up_ = false;
    if (state_ == State::connected) {
      log::warning("store {}: the connection is lost; looking for another server", uri());
      set_state(State::disconnected);
    }
    if (ended_ || !handle_) return;
    if (rearmed_bytes_ <= max_rearmed_bytes) return watch_attempts();
    log::info("store {}: there are too many watches to set them all again at once; everything is read anew", uri());
    handle_->leave_session();
    drop_handle();
    watches_gone_ = true;
    if (!ended_) look_for_servers();
  }

  void on_expired() {
    const bool had_session = session_.id != 0;
    if (had_session) {
      log::warning("store {}: session {:#x} has expired", uri(), static_cast<std::uint64_t>(session_.id));
      session_over_ = true;
    } else {
      log::info("store {}: the session to resume has expired", uri());
    }
    resumed_ = {};
    drop_handle();
    if (!ended_ && state_ == State::connected) set_state(State::disconnected);
    if (ended_) return;
    if (had_session || !problem_.empty()) return try_later();
    look_for_servers();
  }

  void fire_all() {
    rearmed_bytes_ = 0;
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

  void save_session() {
    if (options_.session_file.empty()) return;
    if (auto saved = write_session(options_.session_file, session_); !saved) {
      log::warning("store {}: the session cannot be resumed later: {}", uri(), saved.error().message);
    }
  }

  Loop& loop_;
  const ZookeeperAddress address_;
  const OpenOptions options_;
  const std::string secret_;
  const std::chrono::milliseconds patience_;
  bool ended_ = false;

  std::uint64_t last_call_ = 0;
  std::deque<CallPtr> calls_;  // in the order in which they are told
  std::map<std::uint64_t, CallPtr>
      waiting_;  // those of them that are to be asked, in the order in which they were made
  std::size_t in_flight_ = 0;
  Timer deadline_;
  WatchTable nodes_;
  WatchTable lists_;
  std::size_t rearmed_bytes_ = 0;

  std::unique_ptr<ZookeeperHandle> handle_;
  bool up_ = false;            // the handle is connected
  bool fresh_handle_ = false;  // and was not before
  ZookeeperSession resumed_;   // an earlier process's, until it is known whether it can be resumed
  ZookeeperSession session_;
  bool session_over_ = false;  // session_ has expired
  bool watches_gone_ = false;  // the session lives on, without its watches
  std::string problem_;        // what went wrong last on the way to a connection
  bool rooted_ = false;        // the root is there
  bool looking_for_root_ = false;
  State state_ = State::disconnected;
  std::vector<std::weak_ptr<std::function<void(State)>>> subscriptions_;
  std::shared_ptr<void> lookup_;
  Timer retry_;
  std::chrono::milliseconds delay_ = first_delay;
  Names servers_;  // their addresses, since the last lookup
  Timer attempt_;
  std::chrono::milliseconds look_ = first_look;
  bool attempting_ = false;               // at the last look
  std::set<std::string> silent_servers_;  // since there was a connection, and each had as long as look_ says
  std::minstd_rand random_{std::random_device{}()};
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
    if (!read) return tl::unexpected<Error>(std::move(read).error());
    secret = *std::move(read);
  }
  ZookeeperSession resumed;
  if (!options.session_file.empty()) {
    auto read = read_session(options.session_file);
    if (read) {
      resumed = *std::move(read);
    } else {
      log::warning("store {}: no session is resumed: {}", address.uri(), read.error().message);
    }
  }
  auto calls = std::make_shared<ZookeeperCalls>(loop, address, options, std::move(secret), std::move(resumed));
  calls->start();
  return std::make_unique<ZookeeperStore>(std::move(calls));
}

}  // namespace midonet::store
