#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/log.h"
#include "store/path.h"
#include "store/zookeeper_calls.h"
#include "store/zookeeper_commit.h"
#include "store/zookeeper_error.h"

namespace midonet::store {

namespace {

using Names = std::vector<std::string>;
using Call = ZookeeperCall;
using Watch = ZookeeperHandle::Watch;

// How many calls are with the library at a time. It wakes its thread through a pipe, once for each call, and takes a
// full pipe (65,536) for a broken connection.
constexpr std::size_t max_in_flight = 8192;

}  // namespace

void ZookeeperCalls::ask_waiting() {
  if (connection_->up() && !rooted_ && !waiting_.empty()) return look_for_root();
  while (connection_->up() && in_flight_ < max_in_flight && !waiting_.empty()) {
    const CallPtr call = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    if (call->stage == Call::Stage::waiting) ask(call);
  }
}

void ZookeeperCalls::look_for_root() {
  if (std::exchange(looking_for_root_, true)) return;
  handle().exists(address_.root, Watch::no, look([](ZookeeperCalls& self, int rc) {
                    if (rc == ZNONODE) return self.make_root();
                    self.have_root(rc, self.address_.root);
                  }));
}

void ZookeeperCalls::make_root() {
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

ZookeeperHandle::Done ZookeeperCalls::look(std::function<void(ZookeeperCalls&, int)> have) {
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

void ZookeeperCalls::have_root(int rc, const std::string& path) {
  looking_for_root_ = false;
  rooted_ = rc == ZOK;
  if (rooted_) return ask_waiting();
  Error error = op_error(rc, Op::create(path, ""));
  log::warning("store {}: {}", uri(), error.message);
  for (const auto& [number, call] : std::exchange(waiting_, {})) refuse(*call, error);
  tell();
}

void ZookeeperCalls::ask(const CallPtr& call) {
  call->stage = Call::Stage::asked;
  ++call->attempt;
  const Watch watch = call->watch ? Watch::yes : Watch::no;
  switch (call->kind) {
    case Call::Kind::get: return handle().get(full(call->path), watch, expect(call, &ZookeeperCalls::have_node));
    case Call::Kind::list: return handle().children(full(call->path), watch, expect(call, &ZookeeperCalls::have_names));
    case Call::Kind::commit: return call->committed ? ask_after_tick(call) : ask_commit(call);
    case Call::Kind::event: return;
  }
}

ZookeeperHandle::Done ZookeeperCalls::expect(const CallPtr& call,
                                             void (ZookeeperCalls::*have)(const CallPtr&, ZookeeperReply)) {
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

void ZookeeperCalls::have_node(const CallPtr& call, ZookeeperReply reply) {
  if (reply.rc == ZNONODE && call->watch) return watch_for_creation(call);
  if (reply.rc == ZOK) {
    call->node = std::make_shared<const Node>(Node{std::move(reply.value), reply.stat});
    call->then = Call::Then::arm;
  } else {
    call->node = Result<NodePtr>(failed(read_error(reply.rc, call->path)));
  }
  call->stage = Call::Stage::answered;
}

void ZookeeperCalls::have_names(const CallPtr& call, ZookeeperReply reply) {
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

void ZookeeperCalls::watch_for_creation(const CallPtr& call) {
  handle().exists(full(call->path), Watch::yes, expect(call, &ZookeeperCalls::have_absence));
}

void ZookeeperCalls::have_absence(const CallPtr& call, ZookeeperReply reply) {
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

void ZookeeperCalls::ask_commit(const CallPtr& call) {
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

void ZookeeperCalls::ask_after_tick(const CallPtr& call) {
  handle().multi(commit_tick(address_.root), expect(call, &ZookeeperCalls::have_tick));
  handle().exists(full("/"), Watch::no, expect(call, &ZookeeperCalls::have_list));
}

void ZookeeperCalls::have_commit(const CallPtr& call, ZookeeperReply reply) {
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

void ZookeeperCalls::have_revision(const CallPtr& call, int rc, Revision revision) {
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

}  // namespace midonet::store
