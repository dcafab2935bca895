#include "store/layout.h"

#include <algorithm>

#include "base/json.h"
#include "model/paths.h"
#include "store/transaction.h"

namespace midonet::store {
namespace {

namespace paths = model::paths;

Status check_version(const std::string& value) {
  const auto record = parse_json(value);
  const auto number = [&](const char* key) -> std::int64_t {
    if (!record.is_object() || !record.contains(key) || !record[key].is_number_integer()) return 0;
    return record[key].get<std::int64_t>();
  };
  const std::int64_t layout = number("layout");
  const std::int64_t min_reader = number("minReader");
  if (layout <= 0 || min_reader <= 0) {
    return fail(Code::internal, "store {}: damaged, needs positive numbers \"layout\" and \"minReader\"",
                paths::version);
  }
  if (min_reader > layout_version) {
    return fail(Code::conflict, "store layout {}: needs a program that knows layout {}, this one knows {}: upgrade it",
                layout, min_reader, layout_version);
  }
  return {};
}

Status make_layout(Transaction& t) {
  const Result<NodePtr> version = t.get(paths::version);
  std::vector<std::string> missing;
  bool pending = false;
  for (const std::string& folder : {paths::bridges, paths::ports, paths::hosts, paths::tunnel_zones, paths::vnis}) {
    const Result<NodePtr> node = t.get(folder);
    if (node) continue;
    if (node.error().code == Code::pending)
      pending = true;
    else if (node.error().code == Code::not_found)
      missing.push_back(folder);
    else
      return failed(node);
  }
  if (version) {
    if (auto readable = check_version((*version)->value); !readable) return readable;
  } else if (version.error().code == Code::not_found) {
    // An older program may read it until something needs a newer one.
    t.create(paths::version, R"({"layout":1,"minReader":1})");
  } else {
    return failed(version);
  }
  if (pending) return fail(Code::pending, "the layout is being read");
  for (const std::string& folder : missing) t.create(folder, "");
  return {};
}

}  // namespace

Status require_reader(Transaction& t, int layout) {
  const Result<NodePtr> version = t.get(paths::version);
  if (!version) return failed(version);
  auto record = parse_json((*version)->value);
  const auto known = record.is_object() ? record.find("minReader") : record.end();
  if (known == record.end() || !known->is_number_integer())
    return fail(Code::internal, "store {}: damaged, needs a positive number \"minReader\"", paths::version);
  if (known->get<int>() >= layout) return {};
  record["minReader"] = layout;
  record["layout"] = std::max(layout, record.value("layout", layout));
  t.set(paths::version, dump_json(record));
  return {};
}

void ensure_layout(Store& store, std::function<void(Status)> done) {
  transact(store, make_layout,
           [done = std::move(done)](const Result<Revision>& made) { done(made ? Status() : Status(failed(made))); });
}

}  // namespace midonet::store
