#include "topology/hosts.h"

#include "model/paths.h"
#include "topology/tunnel_zones.h"

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

Result<Progress> withdraw_offer(store::Transaction& t, const Uuid& host, const Uuid& bridge, Room& room) {
  if (!room.take()) return Progress::more;  // for the index
  const std::string index = paths::served_bridge(host, bridge);
  const Result<bool> indexed = exists(t, index);
  const Result<Progress> offers = remove_tree(t, paths::bridge_host(bridge, host), room);
  if (!indexed) return failed(indexed);
  if (!offers || *offers == Progress::more) return offers;
  if (*indexed) t.remove(index);
  return Progress::done;
}

Result<Progress> delete_host(store::Transaction& t, const Uuid& id) {
  read_ahead(t, {paths::alive(id)});
  const auto served = list_ids(t, paths::served_bridges(id));
  const auto bindings = list_ids(t, paths::bindings(id));
  if (const auto stored = read_host(t, id); !stored) return failed(stored);
  const Result<bool> alive = exists(t, paths::alive(id));
  if (!alive) return failed(alive);
  if (*alive) return fail(Code::forbidden, "Cannot delete host {} because it is active.", id);
  if (!bindings) return failed(bindings);
  if (!bindings->empty())
    return fail(Code::forbidden, "Cannot delete host {} because it has {} binding(s).", id, bindings->size());
  if (!served) return failed(served);
  Room room;
  Steps steps;
  for (const std::string& name : *served) {
    const Result<Uuid> bridge = Uuid::parse(name);
    if (!bridge) continue;
    const Result<Progress> withdrawn = withdraw_offer(t, id, *bridge, room);
    if (steps.add(withdrawn) && *withdrawn == Progress::more) return more(steps);
  }
  steps.add(leave_tunnel_zones(t, id));
  if (!steps.outcome()) return failed(steps.outcome());
  return remove_tree(t, paths::host(id), room);
}

}  // namespace midonet::topology
