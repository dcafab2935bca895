#include "topology/references.h"

#include <optional>

#include "base/json.h"
#include "model/paths.h"
#include "topology/lookup.h"

namespace midonet::topology {

namespace {
// Where the records of a class stand; a class that has none yet (Chain) leads nowhere.
std::optional<std::string> folder_of(const std::string& resource) {
  if (resource == "Bridge") return model::paths::bridges;
  if (resource == "Port") return model::paths::ports;
  if (resource == "Host") return model::paths::hosts;
  if (resource == "TunnelZone") return model::paths::tunnel_zones;
  return std::nullopt;
}
}  // namespace

Status check_references(store::View& view, const model::Table& table, const void* record) {
  Steps steps;
  for (const model::Field& field : table.fields) {
    if (field.refers.empty() || field.use == model::Use::read_only || field.use == model::Use::derived ||
        field.use == model::Use::internal)
      continue;
    model::Json id;
    field.write(record, id);
    if (!id.is_string()) continue;
    const auto folder = folder_of(field.refers);
    const Result<bool> there =
        folder ? exists(view, model::paths::child(*folder, id.get_ref<const std::string&>())) : false;
    if (steps.add(there) && !*there)
      steps.add(Status(fail(Code::not_found, "There is no {} with ID {}.", field.refers, id.get<std::string>())));
  }
  return steps.outcome();
}

}  // namespace midonet::topology
