#include "topology/hosts.h"

#include "model/paths.h"

namespace midonet::topology {

namespace paths = model::paths;
using model::Host;

Result<Stored<Host>> read_host(store::View& view, const Uuid& id) { return read<Host>(view, paths::host(id), id); }

Status register_host(store::Transaction& t, const Uuid& id, const std::string& name) {
  const std::string path = paths::host(id);
  Steps steps;
  auto found = find<Host>(t, path);
  if (steps.add(found)) {
    if (!*found) {
      Host host;
      host.name = name;
      t.create(path, encode(host));
    } else if ((*found)->record.name != name) {
      (*found)->record.name = name;
      t.set(path, encode((*found)->record, (*found)->node->value));
    }
  }
  for (const std::string& folder : {paths::bindings(id), paths::bound_interfaces(id), paths::statuses(id),
                                    paths::interfaces(id), paths::served_bridges(id)}) {
    const Result<bool> there = exists(t, folder);
    if (steps.add(there) && !*there) t.create(folder, "");
  }
  return steps.outcome();
}

Status update_host(store::Transaction& t, const Uuid& id, const std::function<void(Host&)>& change) {
  Result<Stored<Host>> stored = read_host(t, id);
  if (!stored) return failed(stored);
  change(stored->record);
  t.set(paths::host(id), encode(stored->record, stored->node->value));
  return {};
}

namespace {
// Each <folder>/<id>/hosts/<host>: there is no way back from a host to them, but hosts are deleted once in a blue moon.
Status leave_all(store::Transaction& t, const std::string& folder, const Uuid& host) {
  const auto ids = list_ids(t, folder);
  if (!ids) return failed(ids);
  Steps steps;
  for (const std::string& id : *ids) {
    const std::string membership = paths::child(paths::child(paths::child(folder, id), "hosts"), host.to_string());
    const Result<bool> there = exists(t, membership);
    if (steps.add(there) && *there) steps.add(remove_tree(t, membership));
  }
  return steps.outcome();
}
}  // namespace

Status delete_host(store::Transaction& t, const Uuid& id) {
  read_ahead(t, {paths::alive(id)});
  if (const auto stored = read_host(t, id); !stored) return failed(stored);
  const Result<bool> alive = exists(t, paths::alive(id));
  if (!alive) return failed(alive);
  if (*alive) return fail(Code::forbidden, "Cannot delete host {} because it is active.", id);
  const auto bindings = list_ids(t, paths::bindings(id));
  if (!bindings) return failed(bindings);
  if (!bindings->empty())
    return fail(Code::forbidden, "Cannot delete host {} because it has {} binding(s).", id, bindings->size());
  Steps steps;
  steps.add(leave_all(t, paths::tunnel_zones, id));
  steps.add(leave_all(t, paths::bridges, id));
  steps.add(remove_tree(t, paths::host(id)));
  return steps.outcome();
}

Result<bool> in_any_tunnel_zone(store::View& view, const Uuid& host) {
  const auto zones = list_ids(view, paths::tunnel_zones);
  if (!zones) return failed(zones);
  Steps steps;
  bool member = false;
  for (const std::string& zone : *zones) {
    const Result<bool> there =
        exists(view, paths::child(paths::child(paths::child(paths::tunnel_zones, zone), "hosts"), host.to_string()));
    if (steps.add(there) && *there) member = true;
  }
  if (member) return true;
  if (!steps.outcome()) return failed(steps.outcome());
  return false;
}

}  // namespace midonet::topology
