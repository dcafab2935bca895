// A hint: the records that a commit wrote below a folder, by their paths, in the folder's own value. A watch only says "look
// again"; a reader of the folder lists its children, and only then knows which records to read. With the hint it has those of the
// newest child in the round of the list (ADR 11). Written by Transaction::tell(), taken by a Mirror that is asked for
// View::list_told().
//
//   {"latest": {"/hosts/<h>/ports/<p>": {…}, "/ports/<p>": {…}}}
//
// A hint is never the truth: the records are read all the same, and a folder without one is read as ever.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace midonet::store {

using Hint = std::map<std::string, std::string>;  // path -> record, JSON

inline constexpr std::size_t max_hint_bytes = 4096;  // a larger one is left out, so that no commit grows by much

// "{}" for one that is too large. Values that are no JSON object are left out.
std::string encode_hint(const Hint& hint);
// Empty for a value that holds none, or that is damaged.
Hint decode_hint(std::string_view value);

}  // namespace midonet::store
