// Which host this is: the line `host_uuid=<uuid>` of a file that is written once, on the first start. Called by main before
// the loop runs; blocking.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"

namespace midonet::agent {

// The id in the file; where there is no file, a random one is drawn and written (mode 0644, durable before it is used, and
// of two agents that do so at once one wins and both get its id). A file without an id, or with a bad one, is an error that names
// the line: drawing another would make this host a stranger to its own bindings.
Result<Uuid> host_identity(const std::string& path);

// Which embedded store has ports of this host: the line `store=<uuid>` of the file HOST_ID_FILE.store, written (durably, in
// one step) when the first binding is read. An empty `file` or `identity` is none: nothing is written or compared.
Status note_store_of_ports(const std::string& file, const std::string& identity);
// internal: ports of this host are in another store than the one with this identity.
Status check_store_of_ports(const std::string& file, const std::string& identity, const std::string& uri);

// This machine's addresses, without those of loopback and link-local ones, for messages. At most eight.
std::vector<std::string> machine_addresses();
// Differs from one boot of a machine to the next, and from machine to machine. Empty where the kernel does not tell.
std::string boot_id();

}  // namespace midonet::agent
