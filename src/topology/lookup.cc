#include "topology/lookup.h"

#include "model/paths.h"

namespace midonet::topology {

void read_ahead(store::View& view, std::initializer_list<std::string> paths) {
  for (const std::string& path : paths) (void)view.get(path);
}

Result<bool> exists(store::View& view, const std::string& path) {
  const Result<store::NodePtr> node = view.get(path);
  if (node) return true;
  if (node.error().code == Code::not_found) return false;
  return failed(node);
}

Result<std::vector<std::string>> list_ids(store::View& view, const std::string& folder) {
  Result<std::vector<std::string>> names = view.list(folder);
  if (!names && names.error().code == Code::not_found) return std::vector<std::string>();
  return names;
}

}  // namespace midonet::topology
