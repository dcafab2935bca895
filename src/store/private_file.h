// Small files that hold a secret: the identity of an operator's store, and a session that may be resumed. Blocking, but
// never for long.
#pragma once

#include <string>

#include "base/result.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {

// The one line "user:password" of the file, without its end. forbidden: others than the owner may read or write it;
// invalid: it has no such line; else why it cannot be read.
Result<std::string> read_secret(const std::string& path);

// The session that was saved; one without id when there is no file. invalid: it is damaged; conflict: it belongs to another
// owner. A file that names no owner counts as the reader's: an older version wrote it.
Result<ZookeeperSession> read_session(const std::string& path, const std::string& owner = {});
// Replaces the file in one step; it is readable by its owner alone, whatever the umask is.
Status write_session(const std::string& path, const ZookeeperSession& session, const std::string& owner = {});

}  // namespace midonet::store
