#include "store/embedded_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"

namespace midonet::store {
namespace {

// In the header of every SQLite file (https://www.sqlite.org/fileformat.html, section 1.3): "SQLite format 3" and a
// zero, at 60 the schema's number (big-endian), at 68 the application's.
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

// Made whole under another name, then renamed: whoever is killed meanwhile leaves either no store or a complete one.
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
    if (!connection) return tl::unexpected<Error>(std::move(connection).error());
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

// Looks at the bytes, so that SQLite never touches (and recovers, or converts) a file that is not ours.
Status check_header(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open {}", path);
  std::array<char, header_bytes> header{};
  const ssize_t size = ::read(fd.get(), header.data(), header.size());
  if (size < 0) return fail_errno(errno, "read {}", path);
  const std::string_view text(header.data(), static_cast<std::size_t>(size));
  if (text.size() < header_bytes || !text.starts_with(sqlite_magic)) {
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
  return {};
}

Status check_content(SqliteConnection& connection, const std::string& path) {
  Statement check(connection, "PRAGMA quick_check(1)");
  const bool answered = check.step();
  const std::string answer(answered ? check.text(0) : std::string_view());
  if (auto error = connection.take_error()) {
    if (error->code != Code::internal) return tl::unexpected<Error>(*std::move(error));
    return fail(Code::internal, "embedded store {}: damaged ({}); restore it from a copy", path, error->message);
  }
  if (answer != "ok")
    return fail(Code::internal, "embedded store {}: damaged ({}); restore it from a copy", path, answer);
  return {};
}

}  // namespace

Result<EmbeddedFile> EmbeddedFile::open(const std::string& path, std::chrono::milliseconds patience) {
  FileLock lock;
  const bool in_memory = path == ":memory:";
  if (!in_memory) {
    const std::filesystem::path file(path);
    if (!file.is_absolute() || !file.has_filename()) {
      return fail(Code::invalid, "embedded store \"{}\": not the absolute path of a file", path);
    }
    if (auto made = make_directory(file.parent_path()); !made) return tl::unexpected<Error>(std::move(made).error());
    auto locked = FileLock::acquire(path, patience);
    if (!locked) return tl::unexpected<Error>(std::move(locked).error());
    lock = *std::move(locked);
    struct stat found {};
    const bool present = ::stat(path.c_str(), &found) == 0;
    if (!present && errno != ENOENT) return fail_errno(errno, "open {}", path);
    if (present && !S_ISREG(found.st_mode)) return fail(Code::invalid, "embedded store {}: not a regular file", path);
    const bool fresh = !present || found.st_size == 0;
    if (auto ready = fresh ? make_file(path) : check_header(path); !ready) {
      return tl::unexpected<Error>(std::move(ready).error());
    }
  }
  auto connection = SqliteConnection::open(path);
  if (!connection) return tl::unexpected<Error>(std::move(connection).error());
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
  if (!ready) return tl::unexpected<Error>(ready.error());
  return EmbeddedFile{std::move(lock), *std::move(connection)};
}

}  // namespace midonet::store
