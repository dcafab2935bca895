// The latest news of a folder of the store, which stands in the folder's own value: the records that the last commit of its kind
// wrote, by their paths. Who follows the folder reads the list of its children anyway when one of them is new; with this beside
// it, it has the child's records in the same round (ADR 11). News is a short cut, never the truth: whoever takes it reads the
// records all the same, and a folder without any is read as ever.
//
//   {"latest": {"/hosts/<h>/ports/<p>": {…}, "/ports/<p>": {…}}}
//
// In /hosts/<h>/ports: the binding that was made last, with its port. In /bridges/<b>/hosts: the host that began to serve the
// bridge last, with what it offers; or the one that is about to, since the first port of the bridge was bound there.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace midonet::model {

using Latest = std::map<std::string, std::string>;  // path -> record, JSON

inline constexpr std::size_t max_latest_bytes = 4096;  // more is not told, so that no commit grows by much

// "{}" for what is too much.
std::string encode_latest(const Latest& latest);
// Empty for a value that holds none, or that is damaged.
Latest decode_latest(std::string_view value);

}  // namespace midonet::model
