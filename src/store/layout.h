// The layout of the store: its version node and the top-level folders (model/paths.h). Runs over every implementation,
// once per start, on the loop's thread.
#pragma once

#include <functional>

#include "store/store.h"
#include "store/transaction.h"

namespace midonet::store {

// What this program reads. 2: it enforces port security.
inline constexpr int layout_version = 2;

// Makes what is missing, in one commit; writes nothing when all is there. conflict: the store was written by a newer
// program, whose layout this one must not touch; internal: /version is damaged. In both cases nothing is changed.
void ensure_layout(Store& store, std::function<void(Status)> done);

// Stages that programs which do not know `layout` may not start on the store any more (/version, minReader).
Status require_reader(Transaction& t, int layout);

}  // namespace midonet::store
