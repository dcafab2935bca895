// The one mapping of the return codes ("rc") of ZooKeeper's C library to our codes and messages.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/store.h"

namespace midonet::store {

// The connection or the session was lost before the answer came: nothing is known of what was asked.
bool is_lost(int rc);
// Of a read: "node /ports/x does not exist".
Error read_error(int rc, std::string_view path);
// Of the operation of a commit that was refused: "set /ports/x: it has another version".
Error op_error(int rc, const Op& op);
// "no node (-101)": for messages of one's own.
std::string rc_text(int rc);

}  // namespace midonet::store
