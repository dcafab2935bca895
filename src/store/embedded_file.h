// The file of an embedded store: made if absent, recognised as ours, opened and checked. Another program's file, a damaged one, or one
// of a newer version is refused and left as it is. So is a store that lost records by its mark (embedded_mark.h): a file that is gone,
// empty, older than the last commit, or another store's. A backup (embedded_backup.h) is accepted in place of any of these.
//
// One table holds the durable nodes, keyed by parent and name, so that one walk of its tree lists children in order:
//   nodes(parent, name, value, created, modified, version)    the root is ('', '')
//   meta(key, value)   'revision': the counter of commits; 'identity': the UUID of this store and of its backups;
//                      'backup': of a backup that no store was opened on yet, when it was made
// Ephemeral nodes live in a table of the connection's own in memory, and are gone with it:
//   ephemerals(parent, name, value, created, modified, version, owner)
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "store/embedded_mark.h"
#include "store/file_lock.h"
#include "store/sqlite.h"

namespace midonet::store {

struct EmbeddedFile {
  FileLock lock;  // given back last
  SqliteConnection connection;
  EmbeddedMark mark{};
  std::string identity{};          // empty in memory
  Revision revision_at_least = 0;  // the mark's: a restored store may be behind it

  // `path` is absolute, or ":memory:". Its directory is made (0700) if absent, the file is made 0600. Errors are unavailable (another
  // process has it for longer than `patience`, during which the call blocks, or the disk fails), forbidden, not_found (the system's
  // reasons), invalid (another program's file), conflict (a newer program's), internal (damaged, or records are lost).
  // With `accept_loss` a store that lost records goes on with the rest.
  static Result<EmbeddedFile> open(const std::string& path, std::chrono::milliseconds patience, bool accept_loss);
};

}  // namespace midonet::store
