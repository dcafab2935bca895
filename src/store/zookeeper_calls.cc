#include "store/zookeeper_calls.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/path.h"
#include "store/zookeeper_commit.h"
#include "store/zookeeper_error.h"

namespace midonet::store {

namespace {

using Clock = std::chrono::steady_clock;
using Names = std::vector<std::string>;
using Call = ZookeeperCall;

// A store that may take no time at all still gets this for an answer to come over a network.
constexpr std::chrono::milliseconds least_patience(1000);

}  // namespace

ZookeeperCalls::ZookeeperCalls(Loop& loop, const ZookeeperAddress& address, const OpenOptions& options)
    : loop_(loop), address_(address), patience_(std::max(options.patience, least_patience)) {}

void ZookeeperCalls::start(const OpenOptions& options, std::string secret, ZookeeperSession resumed) {
  ZookeeperConnection::Listener listener;
  listener.up = told(&ZookeeperCalls::on_up);
  listener.down = told(&ZookeeperCalls::on_down);
  listener.dropped = told(&ZookeeperCalls::on_dropped);
  listener.event = told(&ZookeeperCalls::on_event);
  connection_ = std::make_shared<ZookeeperConnection>(loop_, address_, options, std::move(secret), std::move(resumed),
                                                      std::move(listener));
  connection_->start();
}

void ZookeeperCalls::end() {
  ended_ = true;
  deadline_.cancel();
  connection_->end();
  // Taken out first: what they own may call back when it is destroyed.
  const auto calls = std::exchange(calls_, {});
  const auto waiting = std::exchange(waiting_, {});
  const auto watches = watches_.take_all();
  const auto subscriptions = std::exchange(subscriptions_, {});
}

void ZookeeperCalls::get(const std::string& path, Store::GetDone done, Store::Notify watch) {
  auto call = new_call(Call::Kind::get, path);
  call->get_done = std::move(done);
  call->watch = std::move(watch);
  if (auto well_formed = check_path(path); !well_formed) call->node = Result<NodePtr>(failed(well_formed));
  begin(call, call->node.has_value());
}

void ZookeeperCalls::list(const std::string& path, Store::ListDone done, Store::Notify watch) {
  auto call = new_call(Call::Kind::list, path);
  call->list_done = std::move(done);
  call->watch = std::move(watch);
  if (auto well_formed = check_path(path); !well_formed) call->names = Result<Names>(failed(well_formed));
  begin(call, call->names.has_value());
}

void ZookeeperCalls::commit(std::vector<Op> ops, Store::CommitDone done) {
  auto call = new_call(Call::Kind::commit, "/");
  call->commit_done = std::move(done);
  if (auto possible = check_zookeeper_commit(ops, address_.root); !possible) {
    call->revision = Result<Revision>(failed(possible));
  }
  call->ops = std::move(ops);
  begin(call, call->revision.has_value());
}

void ZookeeperCalls::backup(Store::BackupDone done) {
  loop_.post([weak = weak_from_this(), done = std::move(done)] {
    const auto self = weak.lock();
    if (!self || self->ended_) return;
    done(fail(Code::invalid, "back up {}: copy the data directory of one of its servers (docs/operating.md)",
              self->uri()));
  });
}

Store::Subscription ZookeeperCalls::on_state(std::function<void(State)> changed) {
  auto subscription = std::make_shared<std::function<void(State)>>(std::move(changed));
  std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
  subscriptions_.push_back(subscription);
  return subscription;
}

CallPtr ZookeeperCalls::new_call(Call::Kind kind, const std::string& path) {
  auto call = std::make_shared<Call>(Call{kind});
  call->number = ++last_call_;
  call->path = path;
  call->deadline = Clock::now() + patience_;
  return call;
}

void ZookeeperCalls::begin(const CallPtr& call, bool answered) {
  calls_.push_back(call);
  if (answered) {
    call->stage = Call::Stage::answered;
    call->heard = true;
    // Those before it may all have been answered, so that no answer would come by.
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->tell();
    });
    return;
  }
  waiting_.emplace(call->number, call);
  ask_waiting();
  watch_deadline();
}

// --- answers, in their turn ---

void ZookeeperCalls::tell() {
  while (!calls_.empty() && calls_.front()->stage == Call::Stage::answered) {
    const CallPtr call = std::move(calls_.front());
    calls_.pop_front();
    tell(*call);
  }
}

void ZookeeperCalls::tell(Call& call) {
  if (call.then == Call::Then::arm && call.watch) {
    using Of = ZookeeperWatches::Of;
    watches_.set(call.kind == Call::Kind::list ? Of::children : Of::node, full(call.path),
                 std::exchange(call.watch, {}));
  }
  switch (call.kind) {
    case Call::Kind::get: std::exchange(call.get_done, {})(*std::move(call.node)); break;
    case Call::Kind::list: std::exchange(call.list_done, {})(*std::move(call.names)); break;
    case Call::Kind::commit: std::exchange(call.commit_done, {})(*std::move(call.revision)); break;
    case Call::Kind::event: return fire(call.event, call.path);
  }
  if (call.then == Call::Then::fire && call.watch && !ended_) call.watch();
}

void ZookeeperCalls::on_event(ZookeeperEvent event, const std::string& path) {
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

void ZookeeperCalls::fire(const std::vector<Store::Notify>& fired) {
  for (const Store::Notify& notify : fired) {
    if (!ended_) notify();
  }
}

// --- watches that are not wanted any more ---

void ZookeeperCalls::remove_released_later() {
  if (std::exchange(release_posted_, true)) return;
  loop_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->release_posted_ = false;
    if (!self->ended_) self->remove_released();
  });
}

void ZookeeperCalls::remove_released() {
  if (!connection_->up()) return;  // on_up() goes on
  std::set<std::string> asked;
  for (const CallPtr& call : calls_)
    if (call->watch && call->kind != Call::Kind::event) asked.insert(full(call->path));
  for (const auto& [path, kind] : watches_.take_released(asked)) remove_watches(path, kind);
}

void ZookeeperCalls::remove_watches(const std::string& path, ZookeeperHandle::WatchKind kind) {
  handle().remove_watches(path, kind, [weak = weak_from_this(), path](const ZookeeperReply& reply) {
    const auto self = weak.lock();
    if (!self || self->ended_) return;
    if (is_lost(reply.rc)) return self->watches_.keep_released(path);
    if (reply.rc != ZOK && reply.rc != ZNOWATCHER)
      log::debug("store {}: remove the watches of {}: {}", self->uri(), path, rc_text(reply.rc));
  });
}

// --- what does not come ---

void ZookeeperCalls::lost(const CallPtr& call, int rc) {
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

void ZookeeperCalls::watch_deadline() {
  if (deadline_.armed()) return;
  const auto open = std::find_if(calls_.begin(), calls_.end(),
                                 [](const CallPtr& call) { return call->stage != Call::Stage::answered; });
  if (open == calls_.end()) return;
  deadline_ = loop_.after((*open)->deadline - Clock::now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_at_deadlines();
  });
}

void ZookeeperCalls::look_at_deadlines() {
  const auto now = Clock::now();
  for (const CallPtr& call : calls_) {
    if (call->stage == Call::Stage::answered) continue;
    if (call->deadline > now) break;  // and so are those after it
    give_up(*call);
  }
  tell();
  if (!ended_) watch_deadline();
}

void ZookeeperCalls::give_up(Call& call) {
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

void ZookeeperCalls::refuse(Call& call, const Error& error) {
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

void ZookeeperCalls::on_up(bool another, bool watches_gone) {
  if (another) rooted_ = false;  // with all else, it may be gone
  set_state(another ? State::new_session : State::connected);
  if (ended_) return;
  state_ = State::connected;
  if (another || watches_gone) fire(watches_.take_all());
  if (ended_) return;
  remove_released();
  ask_waiting();
}

void ZookeeperCalls::on_down() {
  if (state_ == State::connected) set_state(State::disconnected);
  if (ended_ || watches_.fit_into_one_packet()) return;
  log::info("store {}: there are too many watches to set them all again at once; everything is read again", uri());
  connection_->renew();
}

void ZookeeperCalls::on_dropped() {
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

void ZookeeperCalls::set_state(State state) {
  state_ = state;
  for (const auto& weak : std::vector(subscriptions_)) {
    const auto subscription = weak.lock();
    if (subscription && !ended_) (*subscription)(state);
  }
}

}  // namespace midonet::store
