// Finds the object that an operator names: by its name, its id, or the beginning of its id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midonet::cli {

struct Candidate {
  std::string id;
  std::vector<std::string> names;  // all of its names; the first is for messages
};

inline constexpr std::size_t shortest_id_prefix = 4;

// The id of the candidate. A whole id comes before a name, and a name before the beginning of an id. `noun` is "bridge".
// Code::not_found: no candidate fits. Code::invalid: several fit; the message names them.
Result<std::string> find_one(std::string_view noun, std::string_view wanted, const std::vector<Candidate>& candidates);

}  // namespace midonet::cli
