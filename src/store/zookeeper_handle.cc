#include "store/zookeeper_handle.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/log.h"

// LeakSanitizer alone asks for this, in every program with a store. The library forgets answers that came, and were not
// told yet, when their handle is closed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libzookeeper_mt\n"; }

namespace midonet::store {
namespace {

// The library has a Stat of its own in the global namespace.
using LibraryStat = ::Stat;

// No server can be there: the library drops its connection when it is told to look there.
constexpr const char* nowhere = "255.255.255.255:1";
// How often the library looks its list of servers up again. They are addresses: never would do.
constexpr int resolve_each_ms = 3'600'000;

// The library's list. It goes two servers further after one that refused: an even number would leave half of them out,
// and with two it would try the same for ever, without a pause.
std::string list_of(std::vector<std::string> servers) {
  if (servers.size() % 2 == 0) servers.push_back(servers.front());
  return fmt::format("{}", fmt::join(servers, ","));
}

Stat stat_of(const LibraryStat& stat) { return {stat.czxid, stat.mzxid, stat.version, stat.ephemeralOwner}; }

// The library's lines are for debugging; what users need to know the store says itself.
// Called on any thread: log.h allows that.
void log_line(const char* message) {
  if (message == nullptr) return;
  std::string_view text(message);
  // "2026-01-31 12:00:00,123:4711(0x7f…):ZOO_INFO@function@line: text"
  if (const auto at = text.find("ZOO_"); at != std::string_view::npos) text.remove_prefix(at);
  while (text.ends_with('\n')) text.remove_suffix(1);
  log::debug("zookeeper library: {}", text);
}

// An access list of one entry, in the library's form, which wants to be able to write to it.
struct Acl {
  Acl(const char* scheme, const char* id)
      : scheme_(scheme), id_(id), entry_{ZOO_PERM_ALL, {scheme_.data(), id_.data()}}, list{1, &entry_} {}
  Acl(const Acl&) = delete;
  Acl& operator=(const Acl&) = delete;

 private:
  std::string scheme_;
  std::string id_;
  ::ACL entry_;

 public:
  ::ACL_vector list;
};

}  // namespace

// Lives until its handle is closed and the library's threads are gone.
class ZookeeperHandle::Impl : public std::enable_shared_from_this<ZookeeperHandle::Impl> {
 public:
  Impl(Loop& loop, std::string secret, Listener listener)
      : loop_(loop),
        secret_(std::move(secret)),
        acl_(secret_.empty() ? "world" : "auth", secret_.empty() ? "anyone" : ""),
        listener_(std::move(listener)) {}

  Status start(const std::vector<std::string>& servers, std::chrono::milliseconds session_timeout,
               const ZookeeperSession& resumed) {
    self_ = weak_from_this();
    zoo_set_debug_level(log::enabled(log::Level::debug) ? ZOO_LOG_LEVEL_INFO : ZOO_LOG_LEVEL_ERROR);
    clientid_t id{};
    id.client_id = resumed.id;
    std::memcpy(id.passwd, resumed.password.data(), std::min(resumed.password.size(), sizeof id.passwd));
    zoo_deterministic_conn_order(1);  // the callers' order
    const std::string list = list_of(servers);
    handle_ = zookeeper_init2(list.c_str(), &on_event, static_cast<int>(session_timeout.count()),
                              resumed.id == 0 ? nullptr : &id, this, ZOO_NO_LOG_CLIENTENV, &log_line);
    if (handle_ == nullptr) return fail_errno(errno, "zookeeper {}", list);
    zoo_set_servers_resolution_delay(handle_, resolve_each_ms);
    return {};
  }

  // Joins the library's threads: afterwards nothing of the library refers to us.
  void close() {
    if (handle_ != nullptr) zookeeper_close(std::exchange(handle_, nullptr));
    calls_.clear();
  }

  void leave_session() {
    // The documented way to make the library drop its connection at once. Not connected, zookeeper_close() has no server to
    // tell that the session ends.
    if (handle_ != nullptr) zoo_set_servers(handle_, nowhere);
  }

  void try_anew(const std::vector<std::string>& servers) {
    zoo_set_servers(handle_, nowhere);
    zoo_set_servers(handle_, list_of(servers).c_str());
    // Its thread still waits for the connection that is gone. Any call wakes it.
    sync("/", [](const ZookeeperReply&) {});
  }

  void get(const std::string& path, Watch watch, Done done) {
    Call& call = add(std::move(done));
    begun(call, zoo_awget(handle_, path.c_str(), watcher(watch), this, &on_data, &call));
  }
  void exists(const std::string& path, Watch watch, Done done) {
    Call& call = add(std::move(done));
    begun(call, zoo_awexists(handle_, path.c_str(), watcher(watch), this, &on_stat, &call));
  }
  void children(const std::string& path, Watch watch, Done done) {
    Call& call = add(std::move(done));
    begun(call, zoo_awget_children(handle_, path.c_str(), watcher(watch), this, &on_names, &call));
  }
  void create(const std::string& path, Done done) {
    Call& call = add(std::move(done));
    begun(call, zoo_acreate(handle_, path.c_str(), "", 0, &acl_.list, ZOO_PERSISTENT, &on_string, &call));
  }
  void sync(const std::string& path, Done done) {
    Call& call = add(std::move(done));
    begun(call, zoo_async(handle_, path.c_str(), &on_string, &call));
  }

  // The call that names one watcher only asks the server whether there is one; this one removes it there. All watches of a
  // handle are one to the library. The pointer to the callback is the callback itself.
  void remove_watches(const std::string& path, WatchKind kind, Done done) {
    Call& call = add(std::move(done));
    begun(call,
          zoo_aremove_all_watches(handle_, path.c_str(), kind == WatchKind::child ? ZWATCHTYPE_CHILD : ZWATCHTYPE_ANY,
                                  0, reinterpret_cast<void_completion_t*>(&on_void), &call));
  }

  void multi(const std::vector<Op>& ops, Done done) {
    Call& call = add(std::move(done));
    call.results.resize(ops.size());
    call.stats.resize(ops.size());
    std::vector<zoo_op_t> multi(ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      const int size = static_cast<int>(op.value.size());
      switch (op.kind) {
        case Op::Kind::create:
        case Op::Kind::create_ephemeral:
          zoo_create_op_init(&multi[i], op.path.c_str(), op.value.data(), size, &acl_.list,
                             op.kind == Op::Kind::create ? ZOO_PERSISTENT : ZOO_EPHEMERAL, nullptr, 0);
          break;
        case Op::Kind::set:
          zoo_set_op_init(&multi[i], op.path.c_str(), op.value.data(), size, op.version, &call.stats[i]);
          break;
        case Op::Kind::remove: zoo_delete_op_init(&multi[i], op.path.c_str(), op.version); break;
        case Op::Kind::check: zoo_check_op_init(&multi[i], op.path.c_str(), op.version); break;
      }
    }
    // The library copies paths and values now, and keeps the places for the results.
    begun(call, zoo_amulti(handle_, static_cast<int>(ops.size()), multi.data(), call.results.data(), &on_multi, &call));
  }

  ZookeeperSession session() const { return session_; }
  std::chrono::milliseconds session_timeout() const { return std::chrono::milliseconds(zoo_recv_timeout(handle_)); }
  std::string server() const {
    const char* address = zoo_get_current_server(handle_);
    return address != nullptr ? address : "";
  }
  bool attempting() const {
    const int state = zoo_state(handle_);
    return state == ZOO_CONNECTING_STATE || state == ZOO_ASSOCIATING_STATE;
  }

 private:
  // What the library keeps of a call. Its threads read it, and write to the results of a multi before it is answered.
  struct Call {
    Impl* owner;
    std::uint64_t number;
    Done done;
    std::vector<zoo_op_result_t> results{};
    std::vector<LibraryStat> stats{};
  };

  static watcher_fn watcher(Watch watch) { return watch == Watch::yes ? &on_event : nullptr; }

  Call& add(Done done) {
    const std::uint64_t number = ++last_call_;
    auto& call = calls_[number];
    call = std::make_unique<Call>(Call{this, number, std::move(done)});
    return *call;
  }

  // A call that the library did not take is answered by us, later, like all others.
  void begun(const Call& call, int rc) {
    if (rc != ZOK) post(call, ZookeeperReply{rc});
  }

  // --- on the library's threads ---

  static void post(const Call& call, ZookeeperReply reply) {
    call.owner->loop_.post([weak = call.owner->self_, number = call.number, reply = std::move(reply)]() mutable {
      if (const auto self = weak.lock()) self->answer(number, std::move(reply));
    });
  }

  static void on_data(int rc, const char* value, int size, const LibraryStat* stat, const void* context) {
    ZookeeperReply reply{rc};
    if (rc == ZOK && value != nullptr && size > 0) reply.value.assign(value, static_cast<std::size_t>(size));
    post_with_stat(context, std::move(reply), stat);
  }
  static void on_stat(int rc, const LibraryStat* stat, const void* context) {
    post_with_stat(context, ZookeeperReply{rc}, stat);
  }
  static void post_with_stat(const void* context, ZookeeperReply reply, const LibraryStat* stat) {
    if (reply.rc == ZOK && stat != nullptr) {
      reply.stat = stat_of(*stat);
      reply.children_modified = stat->pzxid;
    }
    post(*static_cast<const Call*>(context), std::move(reply));
  }
  static void on_names(int rc, const String_vector* names, const void* context) {
    ZookeeperReply reply{rc};
    if (rc == ZOK && (names == nullptr || !copy(*names, reply.names))) {
      reply.names.clear();
      reply.rc = ZMARSHALLINGERROR;
    }
    post(*static_cast<const Call*>(context), std::move(reply));
  }
  // False for what the library makes of a spoiled answer: it does not look whether it could read the names, and leaves null
  // for those that it could not.
  static bool copy(const String_vector& names, std::vector<std::string>& out) {
    if (names.count != 0 && names.data == nullptr) return false;
    for (std::int32_t i = 0; i < names.count; ++i) {
      if (names.data[i] == nullptr) return false;
      out.emplace_back(names.data[i]);
    }
    return names.count >= 0;
  }
  static void on_string(int rc, const char*, const void* context) {
    post(*static_cast<const Call*>(context), ZookeeperReply{rc});
  }
  static void on_void(int rc, const void* context) { post(*static_cast<const Call*>(context), ZookeeperReply{rc}); }
  static void on_multi(int rc, const void* context) {
    const auto& call = *static_cast<const Call*>(context);
    ZookeeperReply reply{rc};
    reply.op_rcs.reserve(call.results.size());
    for (const zoo_op_result_t& result : call.results) {
      reply.op_rcs.push_back(result.err);
      if (rc == ZOK && result.stat != nullptr) reply.revision = result.stat->mzxid;
    }
    post(call, std::move(reply));
  }

  // Watches and the connection. The same function and context for all, so that the library keeps one entry for each path.
  static void on_event(zhandle_t* handle, int type, int state, const char* path, void* context) {
    auto* self = static_cast<Impl*>(context);
    if (type == ZOO_SESSION_EVENT) {
      ZookeeperSession session;
      if (state == ZOO_CONNECTED_STATE) {
        const clientid_t* id = zoo_client_id(handle);
        session = {id->client_id, std::string(id->passwd, sizeof id->passwd)};
      }
      self->loop_.post([weak = self->self_, state, session = std::move(session)] {
        if (const auto locked = weak.lock()) locked->connection(state, session);
      });
      return;
    }
    ZookeeperEvent event = ZookeeperEvent::changed;
    if (type == ZOO_CREATED_EVENT) {
      event = ZookeeperEvent::created;
    } else if (type == ZOO_DELETED_EVENT) {
      event = ZookeeperEvent::deleted;
    } else if (type == ZOO_CHILD_EVENT) {
      event = ZookeeperEvent::child;
    } else if (type != ZOO_CHANGED_EVENT) {
      return;
    }
    if (path == nullptr) return;
    self->loop_.post([weak = self->self_, event, where = std::string(path)] {
      const auto locked = weak.lock();
      if (locked && locked->handle_ != nullptr) locked->listener_.event(event, where);
    });
  }

  // --- on the loop's ---

  void answer(std::uint64_t number, ZookeeperReply reply) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) return;
    const Done done = std::move(found->second->done);
    calls_.erase(found);
    done(std::move(reply));
  }

  void connection(int state, const ZookeeperSession& session) {
    if (handle_ == nullptr) return;
    if (state == ZOO_CONNECTED_STATE) {
      session_ = session;
      // Before anything that is sent now; the library says it again at each later connection. Refused only when
      // the connection is gone already: then there will be another.
      if (!secret_.empty() && !authenticated_) {
        authenticated_ =
            zoo_add_auth(handle_, "digest", secret_.data(), static_cast<int>(secret_.size()), nullptr, nullptr) == ZOK;
        if (!authenticated_) return;
      }
      listener_.connection(Connection::up);
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
      listener_.connection(Connection::expired);
    } else if (state == ZOO_AUTH_FAILED_STATE) {
      listener_.connection(Connection::auth_failed);
    } else {
      listener_.connection(Connection::down);
    }
  }

  Loop& loop_;
  std::weak_ptr<Impl> self_;  // set before the library's threads start, constant afterwards
  const std::string secret_;
  Acl acl_;
  const Listener listener_;
  zhandle_t* handle_ = nullptr;
  ZookeeperSession session_;
  bool authenticated_ = false;
  std::uint64_t last_call_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls_;
};

Result<std::unique_ptr<ZookeeperHandle>> ZookeeperHandle::open(Loop& loop, const std::vector<std::string>& servers,
                                                               std::chrono::milliseconds session_timeout,
                                                               const ZookeeperSession& resumed,
                                                               const std::string& secret, Listener listener) {
  auto impl = std::make_shared<Impl>(loop, secret, std::move(listener));
  if (auto started = impl->start(servers, session_timeout, resumed); !started) {
    return failed(std::move(started));
  }
  return std::unique_ptr<ZookeeperHandle>(new ZookeeperHandle(std::move(impl)));
}

ZookeeperHandle::ZookeeperHandle(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ZookeeperHandle::~ZookeeperHandle() { impl_->close(); }
void ZookeeperHandle::leave_session() { impl_->leave_session(); }

void ZookeeperHandle::get(const std::string& path, Watch watch, Done done) { impl_->get(path, watch, std::move(done)); }
void ZookeeperHandle::exists(const std::string& path, Watch watch, Done done) {
  impl_->exists(path, watch, std::move(done));
}
void ZookeeperHandle::children(const std::string& path, Watch watch, Done done) {
  impl_->children(path, watch, std::move(done));
}
void ZookeeperHandle::create(const std::string& path, Done done) { impl_->create(path, std::move(done)); }
void ZookeeperHandle::multi(std::vector<Op> ops, Done done) { impl_->multi(ops, std::move(done)); }
void ZookeeperHandle::remove_watches(const std::string& path, WatchKind kind, Done done) {
  impl_->remove_watches(path, kind, std::move(done));
}
void ZookeeperHandle::sync(const std::string& path, Done done) { impl_->sync(path, std::move(done)); }
ZookeeperSession ZookeeperHandle::session() const { return impl_->session(); }
std::chrono::milliseconds ZookeeperHandle::session_timeout() const { return impl_->session_timeout(); }
std::string ZookeeperHandle::server() const { return impl_->server(); }
void ZookeeperHandle::try_anew(const std::vector<std::string>& servers) { impl_->try_anew(servers); }
bool ZookeeperHandle::attempting() const { return impl_->attempting(); }

}  // namespace midonet::store
