// From what an operator types to the one thing that is meant: a name, an id, or the beginning of an id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midonet::cli {

struct Candidate {
  std::string id;
  std::vector<std::string> names;  // all that it may be called; the first is for messages
};

inline constexpr std::size_t shortest_id_prefix = 4;

// The id of the candidate. Its whole id wins over a name, and a name over the beginning of an id. `noun` is "bridge".
// Code::not_found: nothing is called so. Code::invalid: several are; the message names them.
Result<std::string> find_one(std::string_view noun, std::string_view wanted, const std::vector<Candidate>& candidates);

}  // namespace midonet::cli
