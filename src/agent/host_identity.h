// Who this host is: the line `host_uuid=<uuid>` of a file that is written once, on the first start. Called by main before
// the loop runs; blocking.
#pragma once

#include <string>

#include "base/result.h"
#include "base/uuid.h"

namespace midonet::agent {

// The id in the file; where there is no file, a random one is drawn and written (mode 0644, durable before it is used, and
// of two who do so at once one wins and both get its id). A file without an id, or with a bad one, is an error that names
// the line: drawing another would make this host a stranger to its own bindings.
Result<Uuid> host_identity(const std::string& path);

}  // namespace midonet::agent
