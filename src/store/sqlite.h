// The little of SQLite that the embedded store needs. A statement that fails leaves its error with the connection, so
// that a run of statements is written plainly and the error looked at once, at its end.
//
// On the loop's thread. Used by embedded_*.cc alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_backup;
struct sqlite3_stmt;

namespace midonet::store {

class SqliteConnection {
 public:
  // Opens a file that exists, or ":memory:".
  static Result<SqliteConnection> open(const std::string& file);
  SqliteConnection(SqliteConnection&& other) noexcept;
  SqliteConnection& operator=(SqliteConnection&&) = delete;
  ~SqliteConnection();

  // Runs statements without parameters and results; an error is returned and also kept.
  Status run(const char* sql);
  bool in_transaction() const;
  // The first error since the last take_error(). Everything after it is to be rolled back.
  const std::optional<Error>& error() const { return error_; }
  std::optional<Error> take_error();

 private:
  friend class Statement;
  friend class SqliteBackup;
  explicit SqliteConnection(sqlite3* db, std::string file) : db_(db), file_(std::move(file)) {}
  void note_error(int rc);

  sqlite3* db_;
  std::string file_;
  std::optional<Error> error_;
};

// Copies the main database of one connection over that of another, some pages at a time; what the source's own connection
// commits meanwhile is copied too (https://www.sqlite.org/backup.html). Both connections outlive it.
class SqliteBackup {
 public:
  static Result<SqliteBackup> begin(SqliteConnection& to, SqliteConnection& from);
  SqliteBackup(SqliteBackup&& other) noexcept;
  SqliteBackup& operator=(SqliteBackup&&) = delete;
  ~SqliteBackup();

  Result<bool> step(int pages);  // true: that was all
  Status finish();

 private:
  SqliteBackup(sqlite3_backup* backup, SqliteConnection& to) : backup_(backup), db_(to.db_), file_(to.file_) {}
  sqlite3_backup* backup_;
  sqlite3* db_;  // the copy
  std::string file_;
};

// A prepared statement. One run of it: bind() each parameter, step() while it gives rows, and reset() (which `with`
// does before it binds). What is bound must live until the last step(); what text() gives, until the next step() or
// reset().
class Statement {
 public:
  Statement(SqliteConnection& connection, const char* sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  template <class... Args>
  Statement& with(const Args&... args) {
    reset();
    int index = 0;
    (bind(++index, args), ...);
    return *this;
  }
  bool step();  // true: there is a row. false: there is none, or it failed (see SqliteConnection::error)
  void run() {  // for what gives no row
    step();
    reset();
  }
  std::string_view text(int column);
  std::int64_t number(int column);
  void reset();

 private:
  void bind(int index, std::string_view text);
  void bind(int index, std::int64_t number);

  SqliteConnection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace midonet::store
