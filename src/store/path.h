// Paths of the store: absolute, "/ports/<id>", "/" for the root. Checks of their form, and their parts. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet::store {

// Code::invalid, with the reason, for paths that no implementation of the store may accept. The rules are ZooKeeper's: UTF-8 without
// control and private-use characters, specials, and those beyond U+FFFF; no empty part, no "." or ".." part, no trailing slash.
Status check_path(std::string_view path);

// "/a/b" is the child "b" of "/a"; "/a" is the child "a" of "/". The root has neither.
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

}  // namespace midonet::store
