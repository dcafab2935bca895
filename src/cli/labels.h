// What ids and names look like to people: as short as they are told apart by. Pure.
#pragma once

#include <map>
#include <string>

#include "cli/listing.h"

namespace midonet::cli {

// The first 8 characters of an id, or more where two of `all` have these alike; a whole id where the look asks for it (wide,
// --full).
class ShortIds {
 public:
  ShortIds(const Json& all, const Look& look);
  std::string operator()(const std::string& id) const { return id.substr(0, length_); }

 private:
  std::size_t length_ = 8;
};

// Hosts or bridges by their name; by name and short id where several of `all` have the name; by short id without one.
class Labels {
 public:
  Labels(const Json& all, const Look& look);
  std::string operator()(const std::string& id) const;

 private:
  ShortIds short_ids_;
  std::map<std::string, std::string> labels_;
};

}  // namespace midonet::cli
