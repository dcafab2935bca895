#include "cli/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/json.h"

namespace midonet::cli {

ShortIds::ShortIds(const Json& all, const Look& look) {
  if (look.width() == 0) {
    length_ = std::string::npos;
    return;
  }
  std::vector<std::string> ids;
  for (const Json& one : all) ids.push_back(text_of(one, "id"));
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (std::size_t i = 1; i < ids.size(); ++i) {
    const std::string &a = ids[i - 1], &b = ids[i];
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    length_ = std::max(length_, static_cast<std::size_t>(differ.first - a.begin()) + 1);
  }
}

Labels::Labels(const Json& all, const Look& look) : short_ids_(all, look) {
  std::map<std::string, std::size_t> bearers;
  for (const Json& one : all) ++bearers[text_of(one, "name")];
  for (const Json& one : all) {
    const std::string id = text_of(one, "id");
    const std::string name = text_of(one, "name");
    labels_.emplace(id, name.empty()         ? short_ids_(id)
                        : bearers[name] == 1 ? name
                                             : fmt::format("{} ({})", name, short_ids_(id)));
  }
}

std::string Labels::operator()(const std::string& id) const {
  const auto found = labels_.find(id);
  return found == labels_.end() ? short_ids_(id) : found->second;
}

}  // namespace midonet::cli
