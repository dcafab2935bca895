// Stored records: JSON objects made from and read into the structs of this folder by their tables of fields
// (field.h). Used by all code that reads or writes the store. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/field.h"

namespace midonet::model {

// The same for any table; `record` points to a struct of the table's type.
Status decode_into(const Table& table, std::string_view value, void* record);
std::string encode_from(const Table& table, const void* record, std::string_view previous);

// Reads a stored value. Unknown keys are ignored, missing ones and nulls keep the struct's default.
// Code::internal for a value that is no object or has a key of the wrong type: the record is damaged, and the
// message says which key of what. Ids that stand in the path (Bridge::id, Port::id, Host::id) are not part of
// the value; the caller sets them.
template <class R>
Result<R> decode(std::string_view value) {
  R record{};
  if (Status status = decode_into(table<R>(), value, &record); !status) return failed(status);
  return record;
}

// The value to store. Keys of `previous` that the table does not know are kept (a newer program may have
// written them).
template <class R>
std::string encode(const R& record, std::string_view previous = {}) {
  return encode_from(table<R>(), &record, previous);
}

}  // namespace midonet::model
