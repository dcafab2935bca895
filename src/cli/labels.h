// Ids and names for people: as short as they still differ. Pure.
#pragma once

#include <map>
#include <string>

#include "cli/listing.h"

namespace midonet::cli {

// The first 8 characters of an id, or more where two of `all` have the same ones; the whole id with --full and in wide form.
class ShortIds {
 public:
  ShortIds(const Json& all, const Look& look);
  std::string operator()(const std::string& id) const { return id.substr(0, length_); }

 private:
  std::size_t length_ = 8;
};

// Hosts or bridges by their name; by name and short id where several of `all` have that name; by short id if they have no name.
class Labels {
 public:
  Labels(const Json& all, const Look& look);
  std::string operator()(const std::string& id) const;

 private:
  ShortIds short_ids_;
  std::map<std::string, std::string> labels_;
};

}  // namespace midonet::cli
