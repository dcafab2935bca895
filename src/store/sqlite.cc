#include "store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace midonet::store {
namespace {

Code sqlite_code(int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG: return Code::exhausted;
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return Code::unavailable;
    default: return Code::internal;
  }
}

Error error_of(sqlite3* db, int rc, const std::string& file) {
  std::string text = sqlite3_errstr(rc);
  if (db != nullptr && sqlite3_extended_errcode(db) == rc) text = sqlite3_errmsg(db);
  const int error_number = db != nullptr ? sqlite3_system_errno(db) : 0;
  const int primary = rc & 0xff;
  if (error_number != 0 && (primary == SQLITE_IOERR || primary == SQLITE_FULL || primary == SQLITE_CANTOPEN)) {
    const char* reason = strerrordesc_np(error_number);
    text += fmt::format(": {}", reason != nullptr ? reason : "unknown error");
  }
  return Error{sqlite_code(rc), fmt::format("embedded store {}: {}", file, text)};
}

}  // namespace

Result<SqliteConnection> SqliteConnection::open(const std::string& file) {
  sqlite3* db = nullptr;
  const int rc =
      sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (rc != SQLITE_OK) {
    Error error = error_of(db, rc, file);
    sqlite3_close(db);
    return failed(std::move(error));
  }
  return SqliteConnection(db, file);
}

SqliteConnection::SqliteConnection(SqliteConnection&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), file_(std::move(other.file_)), error_(std::move(other.error_)) {}

SqliteConnection::~SqliteConnection() { sqlite3_close(db_); }

void SqliteConnection::note_error(int rc) {
  if (!error_) error_ = error_of(db_, rc, file_);
}

Status SqliteConnection::run(const char* sql) {
  const int rc = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (rc == SQLITE_OK) return {};
  note_error(rc);
  return failed(error_of(db_, rc, file_));
}

bool SqliteConnection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

std::optional<Error> SqliteConnection::take_error() { return std::exchange(error_, std::nullopt); }

Result<SqliteBackup> SqliteBackup::begin(SqliteConnection& to, SqliteConnection& from) {
  sqlite3_backup* backup = sqlite3_backup_init(to.db_, "main", from.db_, "main");
  if (backup == nullptr) return failed(error_of(to.db_, sqlite3_extended_errcode(to.db_), to.file_));
  return SqliteBackup(backup, to);
}

SqliteBackup::SqliteBackup(SqliteBackup&& other) noexcept
    : backup_(std::exchange(other.backup_, nullptr)), db_(other.db_), file_(std::move(other.file_)) {}

SqliteBackup::~SqliteBackup() { sqlite3_backup_finish(backup_); }

Result<bool> SqliteBackup::step(int pages) {
  const int rc = sqlite3_backup_step(backup_, pages);
  if (rc == SQLITE_OK || rc == SQLITE_DONE) return rc == SQLITE_DONE;
  return failed(error_of(db_, rc, file_));
}

Status SqliteBackup::finish() {
  const int rc = sqlite3_backup_finish(std::exchange(backup_, nullptr));
  if (rc != SQLITE_OK) return failed(error_of(db_, rc, file_));
  return {};
}

Statement::Statement(SqliteConnection& connection, const char* sql) : connection_(connection) {
  const int rc = sqlite3_prepare_v3(connection.db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (rc != SQLITE_OK) connection.note_error(rc);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

bool Statement::step() {
  if (statement_ == nullptr) return false;  // its preparation failed, which the connection knows
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc != SQLITE_DONE) connection_.note_error(rc);
  return false;
}

std::string_view Statement::text(int column) {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

std::int64_t Statement::number(int column) { return sqlite3_column_int64(statement_, column); }

void Statement::reset() {
  if (statement_ != nullptr) sqlite3_reset(statement_);  // its result is that of the last step(), noted already
}

void Statement::bind(int index, std::string_view text) {
  if (statement_ == nullptr) return;
  // A null pointer would bind NULL, which is something other than the empty string.
  const int rc =
      sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (rc != SQLITE_OK) connection_.note_error(rc);
}

void Statement::bind(int index, std::int64_t number) {
  if (statement_ == nullptr) return;
  const int rc = sqlite3_bind_int64(statement_, index, number);
  if (rc != SQLITE_OK) connection_.note_error(rc);
}

}  // namespace midonet::store
