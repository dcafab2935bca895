// The store without a server: one SQLite file, held by one process. For `midolman standalone`, single boxes and tests.
//
// A database has any number of sessions, each a Store. The calls of one turn of the loop are evaluated together, in the order of the
// calls over all sessions, in one transaction of SQLite. So any number of commits waits for the disk once; no call is answered and no
// watch fires before the disk has answered. When the disk refuses, every commit of that turn fails (exhausted, unavailable), nothing
// has changed, and the reads of that turn see that.
//
// On the loop's thread, which the disk flush of each turn blocks (about as long as one fsync).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

class EmbeddedDatabase {
 public:
  // `path` is absolute, or ":memory:". The errors are those of EmbeddedFile::open; it blocks for up to `patience` while
  // another process has the file. The file is given back when the last session and the last reference here are gone.
  static Result<std::shared_ptr<EmbeddedDatabase>> open(Loop& loop, const std::string& path,
                                                        std::chrono::milliseconds patience, bool accept_loss = false);
  virtual ~EmbeddedDatabase() = default;

  // Destroying the Store ends the session: its ephemeral nodes go in the loop's next turn. Its calls that were not answered yet may or
  // may not take effect.
  virtual std::unique_ptr<Store> session() = 0;
};

}  // namespace midonet::store
