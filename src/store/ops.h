// Checks of a commit before any store has looked at its tree.
#pragma once

#include <vector>

#include "store/store.h"

namespace midonet::store {

// invalid: it is empty, or one of its operations has an ill-formed path, too large a value, or a version that cannot be.
Status check_ops(const std::vector<Op>& ops);

}  // namespace midonet::store
