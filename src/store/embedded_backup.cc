#include "store/embedded_backup.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/time.h"

namespace midonet::store {
namespace {

// Pages of 4 KB for each step.
constexpr int step_pages = 64;

Status remove(const std::string& path) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    const std::string file = path + suffix;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove {}", file);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<EmbeddedBackup>> EmbeddedBackup::begin(SqliteConnection& connection, const std::string& file) {
  const std::string path = file + ".backup";
  if (auto removed = remove(path); !removed) return failed(removed);
  if (!UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)))
    return fail_errno(errno, "make {}", path);
  auto copy = SqliteConnection::open(path);
  if (!copy) return failed(std::move(copy));
  // The caller flushes what it makes of the copy; a copy that breaks off is thrown away.
  if (auto set = copy->run("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"); !set) return failed(set);
  auto backup = SqliteBackup::begin(*copy, connection);
  if (!backup) return failed(std::move(backup));
  return std::unique_ptr<EmbeddedBackup>(new EmbeddedBackup(path, *std::move(copy), *std::move(backup)));
}

EmbeddedBackup::~EmbeddedBackup() { static_cast<void>(remove(path_)); }

Result<bool> EmbeddedBackup::step() { return backup_.step(step_pages); }

Result<UniqueFd> EmbeddedBackup::finish() {
  if (auto ended = backup_.finish(); !ended) return failed(ended);
  const auto closed = [&]() -> Status {
    SqliteConnection copy = std::move(copy_);
    // One file alone: a log of another store that lies beside the place where it is restored is never taken for its own.
    if (auto alone = copy.run("PRAGMA journal_mode = DELETE"); !alone) return alone;
    const std::string mark =
        fmt::format("INSERT OR REPLACE INTO meta VALUES ('backup', '{}')", rfc3339(std::chrono::system_clock::now()));
    return copy.run(mark.c_str());
  }();
  if (!closed) return failed(closed);
  UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "open {}", path_);
  return file;
}

}  // namespace midonet::store
