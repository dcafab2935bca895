#include "topology/ports.h"

#include "model/paths.h"
#include "store/layout.h"
#include "topology/attach.h"
#include "topology/bridge_tables.h"
#include "topology/bridges.h"
#include "topology/references.h"

namespace midonet::topology {

namespace paths = model::paths;

// An agent that does not know it would let everything pass.
constexpr int port_security_layout = 2;
using model::Port;
using model::PortState;
using model::PortStatus;

Result<Stored<Port>> read_port(store::View& view, const Uuid& id) { return read<Port>(view, paths::port(id), id); }

Status create_port(store::Transaction& t, const Port& port) {
  Steps steps;
  const auto bridge = read_bridge(t, port.bridge_id);
  steps.add(bridge);
  const Result<bool> used = exists(t, paths::port(port.id));
  if (steps.add(used) && *used)
    steps.add(Status(fail(Code::conflict, "A(n) Port with ID {} already exists.", port.id)));
  steps.add(check_references(t, port));
  if (port.port_security.value_or(false)) steps.add(store::require_reader(t, port_security_layout));
  if (!steps.outcome()) return steps.outcome();
  t.create(paths::port(port.id), encode(port));
  t.create(paths::bridge_port(port.bridge_id, port.id), "");  // fails when the bridge has gone meanwhile
  return {};
}

Status update_port(store::Transaction& t, const Uuid& id, const std::function<void(Port&)>& change) {
  Result<Stored<Port>> stored = read_port(t, id);
  if (!stored) return failed(stored);
  change(stored->record);
  Steps steps;
  steps.add(check_references(t, stored->record));
  if (stored->record.port_security.value_or(false)) steps.add(store::require_reader(t, port_security_layout));
  if (!steps.outcome()) return steps.outcome();
  t.set(paths::port(id), encode(stored->record, stored->node->value));
  return {};
}

Status delete_port(store::Transaction& t, const Uuid& id) {
  const Result<Stored<Port>> stored = read_port(t, id);
  if (!stored) return failed(stored);
  Steps steps;
  steps.add(unbind(t, stored->record));
  steps.add(remove_macs_of(t, stored->record.bridge_id, id));
  if (!steps.outcome()) return steps.outcome();
  t.remove(paths::port(id));
  t.remove(paths::bridge_port(stored->record.bridge_id, id));
  return {};
}

void read_status_ahead(store::View& view, const Uuid& host, const Uuid& port) {
  read_ahead(view, {paths::binding(host, port), paths::alive(host), paths::status(host, port)});
}

Result<PortStatus> port_status(store::View& view, const Port& port) {
  if (!port.host_id) return PortStatus{};
  read_status_ahead(view, *port.host_id, port.id);
  const auto reported = find<PortStatus>(view, paths::status(*port.host_id, port.id));
  const Result<store::NodePtr> binding = view.get(paths::binding(*port.host_id, port.id));
  const Result<bool> alive = exists(view, paths::alive(*port.host_id));
  // A status that cannot be read is no status; its agent will write it again.
  const bool damaged = !reported && reported.error().code == Code::internal;
  Steps steps;
  if (!damaged) steps.add(reported);
  steps.add(alive);
  const bool bound = steps.add(binding);
  // Between two reads the port was unbound: what the record said is over.
  if (!bound && binding.error().code == Code::not_found) return PortStatus{};
  if (!steps.outcome()) return failed(steps.outcome());
  return effective_status((*binding)->stat.modified, *alive, damaged || !*reported ? nullptr : &(*reported)->record);
}

PortStatus effective_status(store::Revision binding, bool alive, const PortStatus* reported) {
  if (!alive) return {PortState::pending_host, "the host has no live agent", binding, 0, ""};
  if (reported == nullptr || reported->revision != binding)
    return {PortState::pending_host, "the host's agent has not reported on this binding yet", binding, 0, ""};
  return *reported;
}

}  // namespace midonet::topology
