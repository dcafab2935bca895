#include "store/embedded_tree.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "store/embedded_file.h"
#include "store/path.h"

namespace midonet::store {
namespace {

// The counter of commits is written along with durable changes. A commit that only touches ephemeral nodes need not
// wait for the disk for a number: after a crash, which those nodes do not outlive, the count goes on that much higher.
constexpr Revision revision_skip = 1'000'000;

std::string not_there(std::string_view path) { return fmt::format("node {} does not exist", path); }

}  // namespace

class EmbeddedTree::Impl {
 public:
  explicit Impl(EmbeddedFile opened) : file(std::move(opened)) {}

  // Reads the counter, and tells whether all statements could be prepared.
  Status start() {
    if (read_meta.with("revision").step()) saved = read_meta.number(0);
    read_meta.reset();
    // The first commit ever writes its number in any case.
    revision = saved == 0 ? 0 : std::max(saved, file.revision_at_least) + revision_skip;
    return storage();
  }

  Status begin() {
    at_begin = revision;
    durable_change = counted = false;
    begin_statement.run();
    return storage();
  }

  Status finish() {
    const bool save = durable_change || (counted && (!saved_since_start || revision - saved >= revision_skip / 2));
    if (save) write_meta.with(revision, "revision").run();
    if (auto ok = storage(); !ok) return ok;
    commit_statement.run();
    if (auto ok = storage(); !ok) return ok;
    if (save) {
      saved = revision;
      file.mark.note(revision);
    }
    saved_since_start = saved_since_start || save;
    return {};
  }

  void rollback() {
    file.connection.take_error();
    // SQLite has rolled back by itself after some failures.
    if (file.connection.in_transaction()) rollback_statement.run();
    file.connection.take_error();
    revision = at_begin;
  }

  Status storage() const {
    if (!file.connection.error()) return {};
    return failed(*file.connection.error());
  }

  // Nothing when there is no such node.
  std::optional<Node> find(std::string_view path) {
    for (Statement* statement : {&get_durable, &get_ephemeral}) {
      std::optional<Node> node;
      if (statement->with(parent_of(path), name_of(path)).step()) {
        node = Node{std::string(statement->text(0)),
                    Stat{statement->number(1), statement->number(2), static_cast<std::int32_t>(statement->number(3)),
                         statement->number(4)}};
      }
      statement->reset();
      if (node) return node;
    }
    return std::nullopt;
  }

  // As find(), without the value.
  std::optional<Stat> find_stat(std::string_view path) {
    for (Statement* statement : {&stat_durable, &stat_ephemeral}) {
      std::optional<Stat> stat;
      if (statement->with(parent_of(path), name_of(path)).step()) {
        stat = Stat{statement->number(0), statement->number(1), static_cast<std::int32_t>(statement->number(2)),
                    statement->number(3)};
      }
      statement->reset();
      if (stat) return stat;
    }
    return std::nullopt;
  }

  bool has_children(std::string_view path) {
    for (Statement* statement : {&child_durable, &child_ephemeral}) {
      const bool found = statement->with(path).step();
      statement->reset();
      if (found) return true;
    }
    return false;
  }

  Status apply(const Op& op, std::int64_t session, Applied& applied) {
    const bool creates = op.kind == Op::Kind::create || op.kind == Op::Kind::create_ephemeral;
    const std::optional<Stat> stat = find_stat(op.path);
    if (creates) {
      if (stat) return fail(Code::conflict, "create {}: it exists already", op.path);
      return create(op, session, applied);
    }
    const char* verb = op.kind == Op::Kind::set ? "set" : op.kind == Op::Kind::remove ? "remove" : "check";
    if (!stat) return fail(Code::not_found, "{} {}: it does not exist", verb, op.path);
    if (op.version != any_version && op.version != stat->version) {
      return fail(Code::conflict, "{} {}: it is at version {}, not {}", verb, op.path, stat->version, op.version);
    }
    if (op.kind == Op::Kind::check) return {};
    const bool durable = stat->owner == 0;
    if (op.kind == Op::Kind::set) {
      (durable ? set_durable : set_ephemeral)
          .with(op.value, applied.revision, parent_of(op.path), name_of(op.path))
          .run();
      applied.changes.push_back({op.path, false});
    } else {
      if (op.path == "/") return fail(Code::invalid, "remove /: the root cannot be removed");
      if (durable && has_children(op.path)) return fail(Code::conflict, "remove {}: it has children", op.path);
      (durable ? remove_durable : remove_ephemeral).with(parent_of(op.path), name_of(op.path)).run();
      applied.changes.push_back({op.path, true});
    }
    durable_change = durable_change || durable;
    return {};
  }

  Status create(const Op& op, std::int64_t session, Applied& applied) {
    const std::string_view parent = parent_of(op.path);
    const std::optional<Stat> parent_stat = find_stat(parent);
    if (!parent_stat) return fail(Code::not_found, "create {}: its parent does not exist", op.path);
    if (parent_stat->owner != 0) {
      return fail(Code::invalid, "create {}: its parent is ephemeral and can have no children", op.path);
    }
    const std::string_view name = name_of(op.path);
    if (op.kind == Op::Kind::create) {
      create_durable.with(parent, name, op.value, applied.revision).run();
      durable_change = true;
    } else {
      create_ephemeral.with(parent, name, op.value, applied.revision, session).run();
    }
    applied.changes.push_back({op.path, true});
    return {};
  }

  EmbeddedFile file;
  Revision revision = 0;  // of the last commit
  Revision saved = 0;     // what stands in the file
  Revision at_begin = 0;
  bool saved_since_start = false;
  bool durable_change = false;  // since begin(): something for the file
  bool counted = false;         // since begin(): a commit took a number

  SqliteConnection& db = file.connection;
  Statement begin_statement{db, "BEGIN"};
  Statement commit_statement{db, "COMMIT"};
  Statement rollback_statement{db, "ROLLBACK"};
  Statement savepoint{db, "SAVEPOINT one"};
  Statement release{db, "RELEASE one"};
  Statement rollback_to{db, "ROLLBACK TO one"};
  Statement read_meta{db, "SELECT value FROM meta WHERE key = ?"};
  Statement write_meta{db, "UPDATE meta SET value = ? WHERE key = ?"};
  Statement get_durable{db,
                        "SELECT value, created, modified, version, 0 FROM main.nodes WHERE parent = ? AND name = ?"};
  Statement get_ephemeral{
      db, "SELECT value, created, modified, version, owner FROM temp.ephemerals WHERE parent = ? AND name = ?"};
  Statement stat_durable{db, "SELECT created, modified, version, 0 FROM main.nodes WHERE parent = ? AND name = ?"};
  Statement stat_ephemeral{
      db, "SELECT created, modified, version, owner FROM temp.ephemerals WHERE parent = ? AND name = ?"};
  Statement child_durable{db, "SELECT 1 FROM main.nodes WHERE parent = ? LIMIT 1"};
  Statement child_ephemeral{db, "SELECT 1 FROM temp.ephemerals WHERE parent = ? LIMIT 1"};
  Statement list_children{db,
                          "SELECT name FROM main.nodes WHERE parent = ?1 UNION ALL "
                          "SELECT name FROM temp.ephemerals WHERE parent = ?1 ORDER BY 1"};
  Statement create_durable{db, "INSERT INTO main.nodes VALUES (?1, ?2, ?3, ?4, ?4, 0)"};
  Statement create_ephemeral{db, "INSERT INTO temp.ephemerals VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5)"};
  Statement set_durable{db,
                        "UPDATE main.nodes SET value = ?, modified = ?, version = version + 1 "
                        "WHERE parent = ? AND name = ?"};
  Statement set_ephemeral{db,
                          "UPDATE temp.ephemerals SET value = ?, modified = ?, version = version + 1 "
                          "WHERE parent = ? AND name = ?"};
  Statement remove_durable{db, "DELETE FROM main.nodes WHERE parent = ? AND name = ?"};
  Statement remove_ephemeral{db, "DELETE FROM temp.ephemerals WHERE parent = ? AND name = ?"};
  Statement list_owned{db, "SELECT parent, name FROM temp.ephemerals WHERE owner = ?"};
  Statement remove_owned{db, "DELETE FROM temp.ephemerals WHERE owner = ?"};
};

EmbeddedTree::EmbeddedTree(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedTree::~EmbeddedTree() = default;

Result<std::unique_ptr<EmbeddedTree>> EmbeddedTree::open(const std::string& path, std::chrono::milliseconds patience,
                                                         bool accept_loss) {
  auto file = EmbeddedFile::open(path, patience, accept_loss);
  if (!file) return failed(std::move(file));
  auto impl = std::make_unique<Impl>(*std::move(file));
  if (auto started = impl->start(); !started) return failed(std::move(started));
  return std::unique_ptr<EmbeddedTree>(new EmbeddedTree(std::move(impl)));
}

Status EmbeddedTree::begin() { return impl_->begin(); }
Status EmbeddedTree::finish() { return impl_->finish(); }
void EmbeddedTree::rollback() { impl_->rollback(); }
Status EmbeddedTree::storage() const { return impl_->storage(); }
const std::string& EmbeddedTree::identity() const { return impl_->file.identity; }
Result<std::unique_ptr<EmbeddedBackup>> EmbeddedTree::backup(const std::string& path) {
  return EmbeddedBackup::begin(impl_->file.connection, path);
}

Result<NodePtr> EmbeddedTree::get(const std::string& path) {
  std::optional<Node> node = impl_->find(path);
  if (auto ok = impl_->storage(); !ok) return failed(std::move(ok));
  if (!node) return failed(Error{Code::not_found, not_there(path)});
  return std::make_shared<const Node>(*std::move(node));
}

Result<std::vector<std::string>> EmbeddedTree::list(const std::string& path) {
  std::vector<std::string> names;
  Statement& statement = impl_->list_children.with(path);
  while (statement.step()) names.emplace_back(statement.text(0));
  statement.reset();
  const bool exists = !names.empty() || impl_->find_stat(path);
  if (auto ok = impl_->storage(); !ok) return failed(std::move(ok));
  if (!exists) return failed(Error{Code::not_found, not_there(path)});
  return names;
}

Result<Applied> EmbeddedTree::apply(const std::vector<Op>& ops, std::int64_t session) {
  Applied applied{impl_->revision + 1, {}};
  const bool durable_before = impl_->durable_change;
  impl_->savepoint.run();
  Status outcome;
  for (const Op& op : ops) {
    outcome = impl_->apply(op, session, applied);
    // Before the answer of the operation: a read that failed looks like a node that is absent.
    if (auto ok = impl_->storage(); !ok) return failed(std::move(ok));
    if (!outcome) break;
  }
  if (!outcome) impl_->rollback_to.run();
  impl_->release.run();
  if (auto ok = impl_->storage(); !ok) return failed(std::move(ok));
  if (!outcome) {
    impl_->durable_change = durable_before;
    return failed(std::move(outcome));
  }
  impl_->revision = applied.revision;
  impl_->counted = true;
  return applied;
}

Result<Applied> EmbeddedTree::end_session(std::int64_t session) {
  Applied applied{impl_->revision + 1, {}};
  Statement& owned = impl_->list_owned.with(session);
  while (owned.step()) {
    const std::string_view parent = owned.text(0);
    std::string path(parent == "/" ? std::string_view() : parent);
    path.append(1, '/').append(owned.text(1));
    applied.changes.push_back({std::move(path), true});
  }
  owned.reset();
  if (!applied.changes.empty()) impl_->remove_owned.with(session).run();
  if (auto ok = impl_->storage(); !ok) return failed(std::move(ok));
  if (!applied.changes.empty()) impl_->revision = applied.revision;  // not written: no caller was told of it
  return applied;
}

}  // namespace midonet::store
