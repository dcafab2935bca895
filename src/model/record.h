// Stored records: JSON objects made from and read into the structs of this folder by their tables of fields (field.h).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet::model {

// Reads a stored value. Unknown keys are ignored, missing ones keep the struct's default. Code::internal for a value that
// is no object or has a key of the wrong type: the record is damaged, and the message says which key of what.
// Ids that stand in the path (Bridge::id, Port::id, Host::id) are not part of the value; the caller sets them.
template <class R>
Result<R> decode(std::string_view value);

// The value to store. Keys of `previous` that the table does not know are kept (a newer program may have written them).
template <class R>
std::string encode(const R& record, std::string_view previous = {});

}  // namespace midonet::model
