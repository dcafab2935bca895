// The file of an embedded store: made if absent, recognised as ours, opened and checked. What is not ours, damaged, or
// too new is refused and left as it is.
//
// One table holds the durable nodes, keyed by parent and name, so that one walk of its tree lists children in order:
//   nodes(parent, name, value, created, modified, version)    the root is ('', '')
//   meta(key, value)                                          'revision': the counter of commits
// Ephemeral nodes live in a table of the connection's own in memory, and are gone with it:
//   ephemerals(parent, name, value, created, modified, version, owner)
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "store/file_lock.h"
#include "store/sqlite.h"

namespace midonet::store {

struct EmbeddedFile {
  FileLock lock;  // given back last
  SqliteConnection connection;

  // `path` is absolute, or ":memory:". Its directory is made (0700) if absent, the file is made 0600. unavailable:
  // another process has it for longer than `patience` (the call blocks), or the disk fails; forbidden, not_found: the
  // system's reasons; invalid: another program's file; conflict: a newer program's; internal: damaged.
  static Result<EmbeddedFile> open(const std::string& path, std::chrono::milliseconds patience);
};

}  // namespace midonet::store
