// The tree of an embedded store as plain calls: reads, and atomic changes inside a transaction of SQLite. It knows
// nothing of sessions' callbacks, watches or order; embedded_store.cc does that.
//
//   begin()  { get | list | apply | end_session }*  finish()
//
// On the loop's thread. After a failure of the storage (a full disk, an I/O error; not: an operation that was refused)
// every call answers with that failure until rollback().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/embedded_backup.h"
#include "store/store.h"

namespace midonet::store {

// The change of one node by a commit, for watches.
struct Change {
  std::string path;
  bool existence;  // it appeared or went (so its parent's list changed as well); else its value was set
};

struct Applied {
  Revision revision;
  std::vector<Change> changes;
};

class EmbeddedTree {
 public:
  // As EmbeddedFile::open.
  static Result<std::unique_ptr<EmbeddedTree>> open(const std::string& path, std::chrono::milliseconds patience,
                                                    bool accept_loss);
  ~EmbeddedTree();

  Status begin();
  // Makes the operations since begin() durable. When that fails, none of them has happened; call rollback().
  Status finish();
  void rollback();
  // The failure of the storage since begin(), if there was one.
  Status storage() const;

  const std::string& identity() const;
  // Of the file at `path`; outside of begin() … finish().
  Result<std::unique_ptr<EmbeddedBackup>> backup(const std::string& path);

  Result<NodePtr> get(const std::string& path);
  Result<std::vector<std::string>> list(const std::string& path);
  // All of the operations, as those of `session`, under a revision of their own; or none and the first one's error. The
  // paths are well formed (check_path).
  Result<Applied> apply(const std::vector<Op>& ops, std::int64_t session);
  // Removes the session's ephemeral nodes.
  Result<Applied> end_session(std::int64_t session);

 private:
  class Impl;
  explicit EmbeddedTree(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace midonet::store
