// The store: a tree of small records with atomic, version-checked commits, watches and ephemeral nodes, shaped after
// ZooKeeper. Two implementations: embedded_store.h (SQLite, one process) and zookeeper_store.h. The contract
// test (store_contract_test.h) runs over both; what it shows is what callers may rely on.
//
// A Store object is one session. All calls are made on the loop's thread; callbacks come later, on the same thread,
// never inside the call, and exactly once. Calls of one session take effect in the order they are made: a get after a
// commit sees it. After the Store is destroyed no callback runs.
//
// Paths: absolute below the store's root, "/ports/<id>"; no trailing slash, no empty part; "/" is the root itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::store {

// Grows with every commit of the whole store (ZooKeeper's zxid; the embedded store's commit counter).
using Revision = std::int64_t;

struct Stat {
  Revision created = 0;      // of the commit that created the node
  Revision modified = 0;     // of the commit that last changed its value ("mzxid")
  std::int32_t version = 0;  // number of value changes since creation
  std::int64_t owner = 0;    // the session that an ephemeral node lives and dies with; 0 for durable nodes
  bool operator==(const Stat&) const = default;
};

struct Node {
  std::string value;  // UTF-8, at most max_value_bytes
  Stat stat;
};
using NodePtr = std::shared_ptr<const Node>;

inline constexpr std::size_t max_value_bytes = 1'000'000;  // below ZooKeeper's default jute.maxbuffer
inline constexpr std::int32_t any_version = -1;

struct Op {
  enum class Kind {
    create,            // conflict when it exists; not_found when the parent does not; invalid below an ephemeral node
    create_ephemeral,  // gone when this session ends; has no children
    set,               // not_found; conflict when `version` is not any_version and not the node's
    remove,            // not_found; conflict as for set, and when the node has children
    check,             // not_found; conflict as for set; changes nothing
  };
  Kind kind;
  std::string path;
  std::string value{};
  std::int32_t version = any_version;

  static Op create(std::string path, std::string value) { return {Kind::create, std::move(path), std::move(value)}; }
  static Op create_ephemeral(std::string path, std::string value) {
    return {Kind::create_ephemeral, std::move(path), std::move(value)};
  }
  static Op set(std::string path, std::string value, std::int32_t version = any_version) {
    return {Kind::set, std::move(path), std::move(value), version};
  }
  static Op remove(std::string path, std::int32_t version = any_version) {
    return {Kind::remove, std::move(path), {}, version};
  }
  static Op check(std::string path, std::int32_t version = any_version) {
    return {Kind::check, std::move(path), {}, version};
  }
};

// How much one commit may be: every store takes one whose operations' commit_bytes sum up to this. ZooKeeper refuses a
// larger one (Code::exhausted, before anything is sent): the caller splits such commits.
inline constexpr std::size_t max_commit_bytes = 1'040'000;
inline std::size_t commit_bytes(const Op& op) { return 128 + op.path.size() + op.value.size(); }

enum class State {
  connected,     // calls are answered
  disconnected,  // calls fail with Code::unavailable or wait until their deadline; watches and ephemeral nodes may live on
  new_session,  // connected again, but every ephemeral node of ours and every watch is gone: make them again
};

// The callback of a watch: the node may have changed, appeared or gone, or the session was lost; look again. Runs at most
// once. With an owner, it runs only while the owner lives. The store removes it some time after, or at once by Store::release(). So
// an object that is made and destroyed often can set watches that never fire, and leaves nothing behind.
class Notify {
 public:
  Notify() = default;
  template <class F>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): the constraint says so in a way that clang-tidy 14 does not know
  requires(std::is_invocable_v<F&> && !std::is_same_v<std::remove_cvref_t<F>, Notify>) Notify(F&& call)
      : call_(std::forward<F>(call)) {}  // NOLINT: a callable is one
  Notify(std::weak_ptr<const void> owner, std::function<void()> call)
      : call_(std::move(call)), owner_(std::move(owner)), owned_(true) {}

  explicit operator bool() const { return static_cast<bool>(call_); }
  bool abandoned() const { return owned_ && owner_.expired(); }
  void operator()() const {
    if (!abandoned()) call_();
  }

 private:
  std::function<void()> call_;
  std::weak_ptr<const void> owner_;
  bool owned_ = false;
};

class Store {
 public:
  using Notify = store::Notify;
  using GetDone = std::function<void(Result<NodePtr>)>;
  using ListDone = std::function<void(Result<std::vector<std::string>>)>;
  using CommitDone = std::function<void(Result<Revision>)>;

  virtual ~Store() = default;

  // The node; not_found when there is none. With `watch`, one watch is set in the same moment: it fires when the node
  // is created (if it was absent), set or removed.
  virtual void get(const std::string& path, GetDone done, Notify watch = {}) = 0;
  // Names (not paths) of the children, in ascending byte order; not_found when the node is absent. With `watch`, it
  // fires when a child appears or goes, when the node itself goes, or (if it was absent) appears.
  virtual void list(const std::string& path, ListDone done, Notify watch = {}) = 0;
  // Removes the watches on this node and on its list whose owner is gone, also from the servers. Without this call it happens
  // some time later, while new watches are set.
  virtual void release(const std::string& path) { static_cast<void>(path); }
  // All of the operations or none. The answer comes when the commit is durable; its revision is greater than all
  // before. The operations act in order, each seeing those before it. The error is that of the first operation that
  // fails and names its path. An empty commit is invalid.
  virtual void commit(std::vector<Op> ops, CommitDone done) = 0;

  // `changed` is called at each change of state for as long as the Subscription is kept. A fresh store is connected or
  // says so later.
  using Subscription = std::shared_ptr<void>;
  [[nodiscard]] virtual Subscription on_state(std::function<void(State)> changed) = 0;
  virtual State state() const = 0;
  // What Stat::owner says of the ephemeral nodes of this session; 0 while there has been none yet. A session that an
  // earlier process had and this one resumed keeps its number, its nodes, and nothing else.
  virtual std::int64_t session() const = 0;
  // For logs and status: "embedded:/var/lib/midolman/midonet.db".
  virtual std::string uri() const = 0;
  // Tells this store from one that was made later in its place: a UUID of an embedded file, kept by its backups. Empty for a
  // store that has none (ZooKeeper, a store in memory).
  virtual std::string identity() const { return {}; }

  using BackupDone = std::function<void(Result<UniqueFd>)>;
  // A consistent copy of all durable nodes, made beside other calls. The result is an open file without a name, positioned at its
  // start, that is a whole store by itself. Errors: invalid (the servers of this store have means of their own), exhausted,
  // unavailable (the disk's reasons).
  virtual void backup(BackupDone done) = 0;
};

// One view on the tree for code that reads: rules in topology/, the agent's snapshot. A call answers from what was read
// already; Code::pending means "not yet", the reader returns that error and is run again when it is there. So such code
// is a plain function of a View, without a callback. Reads ahead of need save round trips: ask for all before giving
// up.
class View {
 public:
  virtual ~View() = default;
  virtual Result<NodePtr> get(const std::string& path) = 0;  // pending, not_found, unavailable …
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  // As list(), of a folder whose value may hold a hint (hint.h): a live copy reads that in the same round, and answers get() with
  // it while a record that it names is being read.
  virtual Result<std::vector<std::string>> list_told(const std::string& path) { return list(path); }
};

}  // namespace midonet::store
