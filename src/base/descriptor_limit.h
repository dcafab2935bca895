// The process's limit of open files. Programs that serve many call this once, at their start.
#pragma once

#include "base/result.h"

namespace midonet {

// Raises the soft limit to the hard one: the soft limit that a shell gives is for programs that use select(2).
Status raise_descriptor_limit();

}  // namespace midonet
