#include "store/transaction.h"

#include <algorithm>
#include <utility>

#include "store/hint.h"
#include "store/path.h"

namespace midonet::store {
namespace {

tl::unexpected<Error> pending(const std::string& path) { return fail(Code::pending, "{} is being read", path); }
tl::unexpected<Error> absent(const std::string& path) { return fail(Code::not_found, "node {} does not exist", path); }

}  // namespace

Result<NodePtr> Transaction::get(const std::string& path) {
  if (const auto staged = staged_.find(path); staged != staged_.end()) {
    if (staged->second == nullptr) return absent(path);
    return staged->second;
  }
  if (const auto read = nodes_.find(path); read != nodes_.end()) return read->second;
  wanted_nodes_.insert(path);
  return pending(path);
}

Result<std::vector<std::string>> Transaction::list(const std::string& path) {
  const auto staged = staged_.find(path);
  if (staged != staged_.end() && staged->second == nullptr) return absent(path);

  std::vector<std::string> names;
  if (!made_here_.contains(path)) {
    const auto read = lists_.find(path);
    if (read == lists_.end()) {
      wanted_lists_.insert(path);
      return pending(path);
    }
    if (!read->second) return read->second;
    names = *read->second;
  }
  // The staged descendants of a path are next to each other in the map; its children are among them.
  const std::string prefix = path == "/" ? path : path + "/";
  for (auto it = staged_.lower_bound(prefix); it != staged_.end() && it->first.starts_with(prefix); ++it) {
    if (parent_of(it->first) != path || it->first == path) continue;
    const std::string name(name_of(it->first));
    const auto at = std::lower_bound(names.begin(), names.end(), name);
    const bool listed = at != names.end() && *at == name;
    if (it->second == nullptr && listed) names.erase(at);
    if (it->second != nullptr && !listed) names.insert(at, name);
  }
  return names;
}

std::int32_t Transaction::version_to_guard(const std::string& path) const {
  // An operation staged before this one holds the guard already.
  if (staged_.contains(path)) return any_version;
  const auto read = nodes_.find(path);
  return read != nodes_.end() && read->second ? (*read->second)->stat.version : any_version;
}

void Transaction::create(const std::string& path, std::string value) {
  ops_.push_back(Op::create(path, value));
  staged_[path] = std::make_shared<const Node>(Node{std::move(value), {}});
  made_here_.insert(path);
}

void Transaction::create_ephemeral(const std::string& path, std::string value) {
  ops_.push_back(Op::create_ephemeral(path, value));
  staged_[path] = std::make_shared<const Node>(Node{std::move(value), {}});
  made_here_.insert(path);
}

void Transaction::set(const std::string& path, std::string value) {
  ops_.push_back(Op::set(path, value, version_to_guard(path)));
  Stat stat;
  if (const auto staged = staged_.find(path); staged != staged_.end()) {
    if (staged->second != nullptr) stat = staged->second->stat;
  } else if (const auto read = nodes_.find(path); read != nodes_.end() && read->second) {
    stat = (*read->second)->stat;
  }
  ++stat.version;
  staged_[path] = std::make_shared<const Node>(Node{std::move(value), stat});
}

void Transaction::remove(const std::string& path) {
  ops_.push_back(Op::remove(path, version_to_guard(path)));
  staged_[path] = nullptr;
  made_here_.erase(path);
}

void Transaction::tell(const std::string& folder, const std::vector<std::string>& paths) {
  Hint hint;
  for (const std::string& path : paths)
    if (const auto staged = staged_.find(path); staged != staged_.end() && staged->second != nullptr)
      hint.emplace(path, staged->second->value);
  set(folder, encode_hint(hint));
}

void Transaction::guard(const std::string& path) {
  if (staged_.contains(path)) return;  // what was staged is its own guard
  const auto read = nodes_.find(path);
  if (read != nodes_.end() && !read->second && read->second.error().code == Code::not_found) {
    // The store has no operation "is absent"; making the node and removing it in one commit says just that.
    ops_.push_back(Op::create(path, ""));
    ops_.push_back(Op::remove(path));
    return;
  }
  ops_.push_back(Op::check(path, version_to_guard(path)));
}

// One call of transact(): alive for as long as a callback of the store holds it.
class TransactionRun : public std::enable_shared_from_this<TransactionRun> {
 public:
  TransactionRun(Store& store, std::function<Status(Transaction&)> body, std::function<void(Result<Revision>)> done)
      : store_(store), body_(std::move(body)), done_(std::move(done)) {}

  void start() {
    run_body();
    if (next_ != Next::answer) return go_on();
    // Nothing was read or staged, so nothing of the store is waited for, and `done` must not run inside the call.
    store_.get("/", [self = shared_from_this()](const Result<NodePtr>&) { self->go_on(); });
  }

 private:
  enum class Next { read, commit, answer };

  void run_body() {
    transaction_.wanted_nodes_.clear();
    transaction_.wanted_lists_.clear();
    transaction_.ops_.clear();
    transaction_.staged_.clear();
    transaction_.made_here_.clear();
    Status outcome = body_(transaction_);
    const bool wants = !transaction_.wanted_nodes_.empty() || !transaction_.wanted_lists_.empty();
    if (!outcome && outcome.error().code == Code::pending && wants) {
      next_ = Next::read;
    } else if (!outcome) {
      next_ = Next::answer;
      answer_ = outcome.error().code == Code::pending
                    ? Result<Revision>(fail(Code::internal, "transaction: waits for something it did not ask for"))
                    : Result<Revision>(failed(std::move(outcome)));
    } else if (transaction_.ops_.empty()) {
      next_ = Next::answer;
      answer_ = Revision(0);
    } else {
      next_ = Next::commit;
    }
  }

  void go_on() {
    switch (next_) {
      case Next::read: return read();
      case Next::commit: return commit();
      case Next::answer: return std::exchange(done_, {})(std::move(answer_));
    }
  }

  // Everything that the body asked for, in one round.
  void read() {
    const auto self = shared_from_this();
    const std::set<std::string> nodes = std::exchange(transaction_.wanted_nodes_, {});
    const std::set<std::string> lists = std::exchange(transaction_.wanted_lists_, {});
    outstanding_ = nodes.size() + lists.size();
    for (const std::string& path : nodes) {
      store_.get(path, [self, path](Result<NodePtr> node) {
        self->transaction_.nodes_.insert_or_assign(path, std::move(node));
        self->have_read();
      });
    }
    for (const std::string& path : lists) {
      store_.list(path, [self, path](Result<std::vector<std::string>> names) {
        self->transaction_.lists_.insert_or_assign(path, std::move(names));
        self->have_read();
      });
    }
  }

  void have_read() {
    if (--outstanding_ > 0) return;
    run_body();
    go_on();
  }

  void commit() {
    store_.commit(std::exchange(transaction_.ops_, {}), [self = shared_from_this()](Result<Revision> revision) {
      self->have_committed(std::move(revision));
    });
  }

  void have_committed(Result<Revision> revision) {
    const bool lost =
        !revision && (revision.error().code == Code::conflict || revision.error().code == Code::not_found);
    if (lost && races_++ < max_races) {
      transaction_ = Transaction();
      transaction_.refused_ = true;
      run_body();
      return go_on();
    }
    if (lost) {
      revision =
          fail(Code::conflict, "lost against other changes {} times; the last: {}", races_, revision.error().message);
    }
    std::exchange(done_, {})(std::move(revision));
  }

  Store& store_;
  std::function<Status(Transaction&)> body_;
  std::function<void(Result<Revision>)> done_;
  Transaction transaction_;
  Next next_ = Next::answer;
  Result<Revision> answer_ = Revision(0);
  std::size_t outstanding_ = 0;
  int races_ = 0;
};

void transact(Store& store, std::function<Status(Transaction&)> body, std::function<void(Result<Revision>)> done) {
  std::make_shared<TransactionRun>(store, std::move(body), std::move(done))->start();
}

}  // namespace midonet::store
