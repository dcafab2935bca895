// What --store names: "embedded:/var/lib/midolman/midonet.db" (or "embedded::memory:" for tests) and, next,
// "zookeeper://h1:2181,h2:2181/midonet".
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

// Opens the store and makes sure of its layout (the version node and the top-level folders of the contract).
// unavailable: it does not answer, or the embedded file is in use (the message names the process that has it) for
// longer than `patience`; invalid: not a URI that is known; conflict: a layout that this program cannot read. Called
// while the loop is not running: it runs the loop until the store has answered.
Result<std::unique_ptr<Store>> open(Loop& loop, const std::string& uri, std::chrono::milliseconds patience);

}  // namespace midonet::store
