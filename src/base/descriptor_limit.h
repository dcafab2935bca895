// The process's limit of open files. Programs with many clients call this once, at their start.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace midonet {

// Raises the soft limit to the hard one: the soft limit that a shell gives is for programs that use select(2).
Status raise_descriptor_limit();

std::size_t descriptor_limit();
// How many descriptors a server may take for its clients. A quarter of the limit, at most 256, stays for the rest of the process: the
// agent's socket, the kernel's maps, the store, Keystone.
std::size_t descriptors_for_clients();

}  // namespace midonet
