#include "store/embedded_store.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <variant>

#include "store/embedded_tree.h"
#include "store/ops.h"
#include "store/path.h"
#include "store/watch_table.h"

namespace midonet::store {
namespace {

// How many calls are evaluated before the loop gets to do something else.
constexpr std::size_t max_turn = 1024;

struct Session {
  std::int64_t id;
  bool ended = false;
  WatchTable nodes{};
  WatchTable lists{};
};
using SessionPtr = std::shared_ptr<Session>;

struct Get {
  std::string path;
  Store::GetDone done;
  Store::Notify watch;
};
struct List {
  std::string path;
  Store::ListDone done;
  Store::Notify watch;
};
struct Commit {
  std::vector<Op> ops;
  Store::CommitDone done;
};
struct End {};

struct Request {
  SessionPtr session;
  std::variant<Get, List, Commit, End> call;
};

using Answer = std::variant<Result<NodePtr>, Result<std::vector<std::string>>, Result<Applied>>;

class Database;

class EmbeddedStore : public Store {
 public:
  EmbeddedStore(std::shared_ptr<Database> database, SessionPtr session)
      : database_(std::move(database)), session_(std::move(session)) {}
  ~EmbeddedStore() override;

  void get(const std::string& path, GetDone done, Notify watch) override;
  void list(const std::string& path, ListDone done, Notify watch) override;
  void commit(std::vector<Op> ops, CommitDone done) override;
  void release(const std::string& path) override {
    session_->nodes.release(path);
    session_->lists.release(path);
  }
  // A file does not go away: always connected, so there is never a change to tell.
  [[nodiscard]] Subscription on_state(std::function<void(State)>) override { return {}; }
  std::int64_t session() const override { return session_->id; }
  State state() const override { return State::connected; }
  std::string uri() const override;
  std::string identity() const override;
  void backup(BackupDone done) override;

 private:
  std::shared_ptr<Database> database_;
  SessionPtr session_;
};

class Database : public EmbeddedDatabase, public std::enable_shared_from_this<Database> {
 public:
  Database(Loop& loop, std::string path, std::unique_ptr<EmbeddedTree> tree)
      : loop_(loop), path_(std::move(path)), tree_(std::move(tree)) {}

  std::unique_ptr<Store> session() override {
    auto session = std::make_shared<Session>(Session{++last_session_});
    sessions_.push_back(session);
    return std::make_unique<EmbeddedStore>(shared_from_this(), std::move(session));
  }

  void enqueue(Request request) {
    requests_.push_back(std::move(request));
    schedule();
  }

  void end(const SessionPtr& session) {
    session->ended = true;
    std::erase(sessions_, session);
    // Taken out first: a watch may own something that calls back when it is destroyed.
    const std::vector<Store::Notify> nodes = session->nodes.take_all();
    const std::vector<Store::Notify> lists = session->lists.take_all();
    enqueue({session, End{}});
  }

  std::string uri() const { return "embedded:" + path_; }
  const std::string& identity() const { return tree_->identity(); }

  void backup(const SessionPtr& session, Store::BackupDone done) {
    backups_.emplace_back(session, std::move(done));
    if (backups_.size() == 1) back_up_later();
  }

 private:
  // One at a time, a step in each turn of the loop.
  void back_up_later() {
    loop_.post([weak = weak_from_this()] {
      if (const auto database = weak.lock()) database->back_up();
    });
  }

  void back_up() {
    Result<UniqueFd> copy = fail(Code::invalid, "back up {}: a store in memory has no file", uri());
    if (path_ != ":memory:") {
      auto ended = back_up_some();
      if (ended && !*ended) return back_up_later();
      copy = ended ? backup_->finish() : Result<UniqueFd>(failed(ended));
    }
    backup_.reset();
    const auto [session, done] = std::move(backups_.front());
    backups_.pop_front();
    if (!backups_.empty()) back_up_later();
    if (!session->ended) done(std::move(copy));
  }

  Result<bool> back_up_some() {
    if (!backup_) {
      auto begun = tree_->backup(path_);
      if (!begun) return failed(std::move(begun));
      backup_ = *std::move(begun);
    }
    return backup_->step();
  }

  void schedule() {
    if (scheduled_ || requests_.empty()) return;
    scheduled_ = true;
    // Weak: with the last Store goes the database, and the file is free at once.
    loop_.post([weak = weak_from_this()] {
      if (const auto database = weak.lock()) database->turn();
    });
  }

  void turn() {
    scheduled_ = false;
    const auto end = requests_.begin() + static_cast<std::ptrdiff_t>(std::min(requests_.size(), max_turn));
    std::vector<Request> requests(std::make_move_iterator(requests_.begin()), std::make_move_iterator(end));
    requests_.erase(requests_.begin(), end);
    schedule();

    // When the storage fails, its transaction is rolled back and the turn is evaluated again without commits; when even
    // reading fails, without reads. What remains is the end of sessions, which is in memory.
    Result<std::vector<Answer>> answers = evaluate(requests, std::nullopt, std::nullopt);
    std::optional<Error> first;
    if (!answers) {
      first = answers.error();
      answers = evaluate(requests, first, std::nullopt);
    }
    if (!answers) answers = evaluate(requests, first, answers.error());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (answers) {
        deliver(requests[i], std::move((*answers)[i]));
      } else {
        deliver_error(requests[i], answers.error());
      }
    }
  }

  // All requests of one turn in one transaction. The error is the storage's; an operation that was refused is an
  // answer.
  Result<std::vector<Answer>> evaluate(const std::vector<Request>& requests, const std::optional<Error>& no_commits,
                                       const std::optional<Error>& no_reads) {
    std::vector<Answer> answers;
    answers.reserve(requests.size());
    Status storage = tree_->begin();
    for (const Request& request : requests) {
      if (!storage) break;
      answers.push_back(std::visit(
          [&](const auto& call) { return evaluate_call(call, *request.session, no_commits, no_reads); }, request.call));
      storage = tree_->storage();
    }
    if (storage) storage = tree_->finish();
    if (storage) return answers;
    tree_->rollback();
    return failed(std::move(storage));
  }

  Answer evaluate_call(const Get& get, const Session&, const std::optional<Error>&, const std::optional<Error>& no) {
    if (auto well_formed = check_path(get.path); !well_formed) return Result<NodePtr>(failed(well_formed));
    return no ? Result<NodePtr>(failed(*no)) : tree_->get(get.path);
  }
  Answer evaluate_call(const List& list, const Session&, const std::optional<Error>&, const std::optional<Error>& no) {
    using Names = Result<std::vector<std::string>>;
    if (auto well_formed = check_path(list.path); !well_formed) return Names(failed(well_formed));
    return no ? Names(failed(*no)) : tree_->list(list.path);
  }
  Answer evaluate_call(const Commit& commit, const Session& session, const std::optional<Error>& no,
                       const std::optional<Error>&) {
    if (auto well_formed = check_ops(commit.ops); !well_formed) {
      return Result<Applied>(failed(well_formed));
    }
    return no ? Result<Applied>(failed(*no)) : tree_->apply(commit.ops, session.id);
  }
  Answer evaluate_call(const End&, const Session& session, const std::optional<Error>&, const std::optional<Error>&) {
    return tree_->end_session(session.id);
  }

  // Watches are set and fired here, in the order of the calls: after evaluation, before anything newer is evaluated. A
  // callback may do anything, also destroy its Store; turn() keeps this object and the request alive.
  void deliver(Request& request, Answer answer) {
    if (auto* get = std::get_if<Get>(&request.call)) {
      deliver_read(*request.session, request.session->nodes, *get, std::get<0>(std::move(answer)));
    } else if (auto* list = std::get_if<List>(&request.call)) {
      deliver_read(*request.session, request.session->lists, *list, std::get<1>(std::move(answer)));
    } else {
      Result<Applied>& applied = std::get<2>(answer);
      if (applied) fire(applied->changes);
      auto* commit = std::get_if<Commit>(&request.call);
      if (commit == nullptr || request.session->ended) return;
      const auto done = std::exchange(commit->done, {});
      done(std::move(applied).map([](const Applied& a) { return a.revision; }));
    }
  }

  template <class Call, class Outcome>
  static void deliver_read(Session& session, WatchTable& watches, Call& call, Outcome outcome) {
    if (session.ended) return;
    if (call.watch && (outcome || outcome.error().code == Code::not_found)) {
      watches.set(call.path, std::exchange(call.watch, {}));
    }
    const auto done = std::exchange(call.done, {});
    done(std::move(outcome));
  }

  void deliver_error(Request& request, const Error& error) {
    if (std::holds_alternative<Get>(request.call)) {
      deliver(request, Result<NodePtr>(failed(error)));
    } else if (std::holds_alternative<List>(request.call)) {
      deliver(request, Result<std::vector<std::string>>(failed(error)));
    } else if (std::holds_alternative<Commit>(request.call)) {
      deliver(request, Result<Applied>(failed(error)));
    } else {
      requests_.push_front({request.session, End{}});  // must not be lost: tried again with the next call
    }
  }

  void fire(const std::vector<Change>& changes) {
    std::vector<std::pair<SessionPtr, Store::Notify>> fired;
    for (const SessionPtr& session : sessions_) {
      const auto take = [&](WatchTable& watches, const std::string& path) {
        for (Store::Notify& notify : watches.take(path)) fired.emplace_back(session, std::move(notify));
      };
      for (const Change& change : changes) {
        take(session->nodes, change.path);
        if (!change.existence) continue;
        take(session->lists, change.path);
        take(session->lists, std::string(parent_of(change.path)));
      }
    }
    for (const auto& [session, notify] : fired) {
      if (!session->ended) notify();
    }
  }

  Loop& loop_;
  std::string path_;
  std::unique_ptr<EmbeddedTree> tree_;
  std::unique_ptr<EmbeddedBackup> backup_;  // under way, for the first of:
  std::deque<std::pair<SessionPtr, Store::BackupDone>> backups_;
  std::int64_t last_session_ = 0;
  std::vector<SessionPtr> sessions_;  // those that have not ended
  std::deque<Request> requests_;
  bool scheduled_ = false;
};

EmbeddedStore::~EmbeddedStore() { database_->end(session_); }

void EmbeddedStore::get(const std::string& path, GetDone done, Notify watch) {
  database_->enqueue({session_, Get{path, std::move(done), std::move(watch)}});
}
void EmbeddedStore::list(const std::string& path, ListDone done, Notify watch) {
  database_->enqueue({session_, List{path, std::move(done), std::move(watch)}});
}
void EmbeddedStore::commit(std::vector<Op> ops, CommitDone done) {
  database_->enqueue({session_, Commit{std::move(ops), std::move(done)}});
}
std::string EmbeddedStore::uri() const { return database_->uri(); }
std::string EmbeddedStore::identity() const { return database_->identity(); }
void EmbeddedStore::backup(BackupDone done) { database_->backup(session_, std::move(done)); }

}  // namespace

Result<std::shared_ptr<EmbeddedDatabase>> EmbeddedDatabase::open(Loop& loop, const std::string& path,
                                                                 std::chrono::milliseconds patience, bool accept_loss) {
  auto tree = EmbeddedTree::open(path, patience, accept_loss);
  if (!tree) return failed(std::move(tree));
  return std::make_shared<Database>(loop, path, *std::move(tree));
}

}  // namespace midonet::store
