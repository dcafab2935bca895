// A copy of the file of an embedded store, made a piece at a time while the store is in use: it has the commits of that time, too. The
// copy is one file without a log. It contains that it is a backup, so that a store which is opened on it knows that it was restored
// (embedded_file.h).
//
// On the loop's thread; each step takes well below a millisecond. Destroyed before its end, it leaves nothing behind.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "store/sqlite.h"

namespace midonet::store {

class EmbeddedBackup {
 public:
  // `file` is that of the open store; the copy grows beside it, as `file`.backup. `connection` outlives this object.
  static Result<std::unique_ptr<EmbeddedBackup>> begin(SqliteConnection& connection, const std::string& file);
  EmbeddedBackup(const EmbeddedBackup&) = delete;
  EmbeddedBackup& operator=(const EmbeddedBackup&) = delete;
  ~EmbeddedBackup();

  // Copies some more. True: that was all. Only between transactions. exhausted, unavailable: the disk's reasons.
  Result<bool> step();
  // After the last step: the copy, as an open file that has no name any more.
  Result<UniqueFd> finish();

 private:
  EmbeddedBackup(std::string path, SqliteConnection copy, SqliteBackup backup)
      : path_(std::move(path)), copy_(std::move(copy)), backup_(std::move(backup)) {}

  std::string path_;
  SqliteConnection copy_;
  SqliteBackup backup_;  // ends before its connection
};

}  // namespace midonet::store
