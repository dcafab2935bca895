#include "store/embedded_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "base/unique_fd.h"
#include "base/uuid.h"

namespace midonet::store {
namespace {

// In the header of every SQLite file (https://www.sqlite.org/fileformat.html, section 1.3): "SQLite format 3" and a
// zero, at 18 whether it has a write-ahead log (2; a backup has 1), at 60 the schema's number (big-endian), at 68 the application's.
constexpr std::size_t header_bytes = 100;
constexpr std::string_view sqlite_magic("SQLite format 3\0", 16);
constexpr std::uint32_t application_id = 0x4d69646f;  // "Mido"
constexpr std::uint32_t schema_number = 1;

constexpr const char* schema = R"(
  PRAGMA application_id = 0x4d69646f;
  PRAGMA user_version = 1;
  CREATE TABLE nodes (
    parent TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (parent, name)) WITHOUT ROWID;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  INSERT INTO nodes VALUES ('', '', '', 0, 0, 0);
  INSERT INTO meta VALUES ('revision', 0);
)";

// One process has the file, so the index of the write-ahead log may be in its memory (locking_mode). FULL: the log is
// flushed to the disk before a commit returns.
constexpr const char* settings = R"(
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA temp_store = MEMORY;
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 16777216;
  PRAGMA cache_size = -1024;
  PRAGMA trusted_schema = OFF;
)";

// No index by owner: it would hold every path again, and sessions end seldom.
constexpr const char* ephemerals = R"(
  CREATE TEMP TABLE ephemerals (
    parent TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, version INTEGER NOT NULL, owner INTEGER NOT NULL,
    PRIMARY KEY (parent, name)) WITHOUT ROWID;
)";

Status make_directory(const std::filesystem::path& directory) {
  struct stat found {};
  if (directory.empty() || ::stat(directory.c_str(), &found) == 0) return {};
  if (auto made = make_directory(directory.parent_path()); !made) return made;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(errno, "make directory {}", directory.string());
  return {};
}

Status sync(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno(errno, "flush {}", path);
  return {};
}

// Made whole under another name, then renamed: a process that is killed meanwhile leaves either no store or a complete one.
Status make_file(const std::string& path) {
  const std::string fresh = path + ".new";
  for (const std::string& old : {fresh, fresh + "-journal"}) {
    if (::unlink(old.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove {}", old);
  }
  if (!UniqueFd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600))) {
    return fail_errno(errno, "make {}", fresh);
  }
  {
    auto connection = SqliteConnection::open(fresh);
    if (!connection) return failed(std::move(connection));
    const std::string statements = fmt::format("BEGIN; {} COMMIT;", schema);
    if (auto made = connection->run(statements.c_str()); !made) {
      ::unlink(fresh.c_str());
      return made;
    }
  }
  if (auto synced = sync(fresh, O_RDONLY); !synced) return synced;
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename {} to {}", fresh, path);
  return sync(std::filesystem::path(path).parent_path(), O_RDONLY | O_DIRECTORY);
}

// A log beside a file that has none by its header is another store's: that of the store in whose place a backup was put.
// SQLite would take it for this one's.
Status set_log_aside(const std::string& path) {
  const std::string log = path + "-wal";
  struct stat found {};
  if (::stat(log.c_str(), &found) != 0 || found.st_size == 0) return {};
  const std::string aside = log + ".unused";
  if (::rename(log.c_str(), aside.c_str()) != 0) return fail_errno(errno, "rename {} to {}", log, aside);
  log::warning("embedded store {}: the write-ahead log beside it belongs to another store: renamed to {}", path, aside);
  return {};
}

// Looks at the bytes, so that SQLite never touches (and recovers, or converts) a file that is not ours.
Status check_header(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open {}", path);
  std::array<char, header_bytes> header{};
  const ssize_t size = ::read(fd.get(), header.data(), header.size());
  if (size < 0) return fail_errno(errno, "read {}", path);
  const std::string_view text(header.data(), static_cast<std::size_t>(size));
  if (text.starts_with(sqlite_magic) && text.size() < header_bytes) {
    return fail(Code::internal, "embedded store {}: damaged (truncated to {} bytes); restore it from a backup", path,
                text.size());
  }
  if (!text.starts_with(sqlite_magic)) {
    return fail(Code::invalid, "embedded store {}: not a store but some other file; left as it is", path);
  }
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(header[at + i]);
    return value;
  };
  if (number(68) != application_id) {
    return fail(Code::invalid, "embedded store {}: a database of another program; left as it is", path);
  }
  if (number(60) > schema_number) {
    return fail(Code::conflict,
                "embedded store {}: written by a newer version (schema {}, this program knows {}); left as it is", path,
                number(60), schema_number);
  }
  return header[18] == 1 ? set_log_aside(path) : Status();
}

Status check_content(SqliteConnection& connection, const std::string& path) {
  Statement check(connection, "PRAGMA quick_check(1)");
  const bool answered = check.step();
  const std::string answer(answered ? check.text(0) : std::string_view());
  if (auto error = connection.take_error()) {
    if (error->code != Code::internal) return failed(*std::move(error));
    return fail(Code::internal, "embedded store {}: damaged ({}); restore it from a backup", path, error->message);
  }
  if (answer != "ok")
    return fail(Code::internal, "embedded store {}: damaged ({}); restore it from a backup", path, answer);
  return {};
}

std::string lost(const std::string& path, const std::string& what) {
  return fmt::format(
      "embedded store {}: records are lost: {}. Put the file or a backup of it back; or, to go on with what is left, "
      "start "
      "once with --accept-store-loss",
      path, what);
}

// Before there is an empty store in the place of one that was in use.
Status check_absence(const std::string& path, const EmbeddedMark& mark, bool accept_loss) {
  struct stat log {};
  const bool has_log = ::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0;
  if (!mark.content() && !has_log) return {};
  const std::string what = mark.content()
                               ? fmt::format("the file is missing or empty, and {} says that it had commit {}",
                                             mark.path(), mark.content()->revision)
                               : fmt::format("the file is missing or empty, and {}-wal is there", path);
  if (!accept_loss) return fail(Code::internal, "{}", lost(path, what));
  log::warning("embedded store {}: {}: an empty store begins", path, what);
  return set_log_aside(path);
}

// Compares what the file says with its mark, and makes them the same. The store is open and sound.
Status settle(EmbeddedFile& store, const std::string& path, bool accept_loss) {
  SqliteConnection& db = store.connection;
  std::string identity, backup;
  Revision revision = 0;
  {
    Statement read(db, "SELECT value FROM meta WHERE key = ?");
    if (read.with("identity").step()) identity = read.text(0);
    if (read.with("backup").step()) backup = read.text(0);
    if (read.with("revision").step()) revision = read.number(0);
    read.reset();
  }
  if (auto error = db.take_error()) return failed(*std::move(error));
  const auto& mark = store.mark.content();
  if (!backup.empty()) {
    log::warning("embedded store {}: restored from the backup of {}, commit {}", path, backup, revision);
  } else if (mark) {
    std::string what;
    if (identity != mark->identity.to_string())
      what = fmt::format("the file is that of another store, and {} says that commit {} of store {} was answered",
                         store.mark.path(), mark->revision, mark->identity);
    else if (revision < mark->revision)
      what = fmt::format("the file ends at commit {}, and {} says that commit {} was answered", revision,
                         store.mark.path(), mark->revision);
    if (!what.empty() && !accept_loss) return fail(Code::internal, "{}", lost(path, what));
    if (!what.empty()) log::warning("embedded store {}: records are lost: {}: going on with what is left", path, what);
  }
  auto id = Uuid::parse(identity);
  if (!id) {
    id = Uuid::random();
    const std::string statement = fmt::format("INSERT OR REPLACE INTO meta VALUES ('identity', '{}')", *id);
    if (auto written = db.run(statement.c_str()); !written) return written;
  }
  store.identity = id->to_string();
  store.revision_at_least = std::max(revision, mark ? mark->revision : 0);
  const EmbeddedMark::Content now{*id, revision};
  if (mark != now) {
    if (auto written = store.mark.replace(now); !written) return written;
  }
  return backup.empty() ? Status() : db.run("DELETE FROM meta WHERE key = 'backup'");
}

}  // namespace

Result<EmbeddedFile> EmbeddedFile::open(const std::string& path, std::chrono::milliseconds patience, bool accept_loss) {
  FileLock lock;
  EmbeddedMark mark;
  const bool in_memory = path == ":memory:";
  if (!in_memory) {
    const std::filesystem::path file(path);
    if (!file.is_absolute() || !file.has_filename()) {
      return fail(Code::invalid, "embedded store \"{}\": not the absolute path of a file", path);
    }
    if (auto made = make_directory(file.parent_path()); !made) return failed(std::move(made));
    auto locked = FileLock::acquire(path, patience);
    if (!locked) return failed(std::move(locked));
    lock = *std::move(locked);
    struct stat found {};
    const bool present = ::stat(path.c_str(), &found) == 0;
    if (!present && errno != ENOENT) return fail_errno(errno, "open {}", path);
    if (present && !S_ISREG(found.st_mode)) return fail(Code::invalid, "embedded store {}: not a regular file", path);
    const bool fresh = !present || found.st_size == 0;
    auto marked = EmbeddedMark::open(path + ".mark");
    if (!marked) return failed(std::move(marked));
    mark = *std::move(marked);
    const auto ready = [&]() -> Status {
      if (!fresh) return check_header(path);
      if (auto absent = check_absence(path, mark, accept_loss); !absent) return absent;
      return make_file(path);
    }();
    if (!ready) return failed(ready);
  }
  auto connection = SqliteConnection::open(path);
  if (!connection) return failed(std::move(connection));
  const auto ready = [&]() -> Status {
    if (auto set = connection->run(settings); !set) return set;
    if (in_memory) {
      if (auto made = connection->run(schema); !made) return made;
    } else {
      if (auto sound = check_content(*connection, path); !sound) return sound;
      if (auto log = connection->run("PRAGMA journal_mode = WAL"); !log) return log;
    }
    return connection->run(ephemerals);
  }();
  if (!ready) return failed(ready);
  EmbeddedFile store{std::move(lock), *std::move(connection), std::move(mark)};
  if (!in_memory) {
    if (auto settled = settle(store, path, accept_loss); !settled) return failed(settled);
  }
  return store;
}

}  // namespace midonet::store
