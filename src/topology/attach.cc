#include "topology/attach.h"

#include <algorithm>

#include "base/interface_name.h"
#include "model/binding.h"
#include "model/latest.h"
#include "model/paths.h"
#include "topology/hosts.h"
#include "topology/lookup.h"
#include "topology/migration.h"
#include "topology/ports.h"
#include "topology/tunnel_zones.h"

namespace midonet::topology {

namespace paths = model::paths;
using model::Binding;
using model::BoundInterface;
using model::Port;

namespace {

// Whether a port that is bound elsewhere may be bound as asked; the conflict says where it is.
Status may_move(const AttachRequest& request, const Port& port) {
  if (!port.host_id) {
    if (request.previous_host_id)
      return fail(Code::conflict, "Port {} is not bound on host {}; it is not bound.", port.id,
                  *request.previous_host_id);
    return {};
  }
  if (request.previous_host_id && *request.previous_host_id != *port.host_id)
    return fail(Code::conflict, "Port {} is not bound on host {}; it is bound to interface {} of host {}.", port.id,
                *request.previous_host_id, port.interface_name.value_or(""), *port.host_id);
  if (request.previous_host_id || request.takeover == Takeover::allow) return {};
  return fail(Code::conflict, "Port {} is already bound to interface {} of host {}.", port.id,
              port.interface_name.value_or(""), *port.host_id);
}

// Stages the records of a port that is bound nowhere any more as bound there.
void record_binding(store::Transaction& t, const Stored<Port>& stored, const model::TakenFrom& place,
                    const std::optional<model::TakenFrom>& taken_from) {
  Port port = stored.record;
  port.host_id = place.host_id;
  port.interface_name = place.interface_name;
  const std::string path = paths::binding(place.host_id, port.id);
  const std::string binding = encode(Binding{port.id, place.interface_name});
  port.set_taken_from(taken_from);
  const std::string record = encode(port, stored.node->value);
  t.create(path, binding);
  t.create(paths::bound_interface(place.host_id, place.interface_name), encode(BoundInterface{port.id}));
  t.set(paths::port(port.id), record);
  t.set(paths::bindings(place.host_id), model::encode_latest({{path, binding}, {paths::port(port.id), record}}));
}

// Where a host is reached by others, as its agent says, and which bridges it serves: what is known of that, read in the same
// round as the port.
struct Serving {
  Result<store::NodePtr> place;
  Result<std::vector<std::string>> bridges;
  Serving(store::View& view, const Uuid& host)
      : place(view.get(paths::served_bridges(host))), bridges(view.list(paths::served_bridges(host))) {}

  bool pending() const {
    return (!place && place.error().code == Code::pending) || (!bridges && bridges.error().code == Code::pending);
  }
  bool begins(const Uuid& bridge) const {
    return place && !(*place)->value.empty() && bridges &&
           !std::binary_search(bridges->begin(), bridges->end(), bridge.to_string());
  }
};

// Those that serve the bridge hear of a host that is about to while its agent still reads what it is to do.
void announce(store::Transaction& t, const Serving& serving, const Uuid& host, const Uuid& bridge) {
  if (serving.begins(bridge))
    t.set(paths::bridge_hosts(bridge),
          model::encode_latest({{paths::bridge_host(bridge, host), (*serving.place)->value}}));
}

}  // namespace

Status unbind(store::Transaction& t, const Port& port) {
  if (!port.host_id) return {};
  const std::string binding = paths::binding(*port.host_id, port.id);
  const std::string index = paths::bound_interface(*port.host_id, port.interface_name.value_or(""));
  Steps steps;
  const Result<bool> bound = exists(t, binding);
  const Result<std::optional<Stored<BoundInterface>>> indexed =
      port.interface_name ? find<BoundInterface>(t, index) : std::optional<Stored<BoundInterface>>();
  steps.add(bound);
  steps.add(indexed);
  if (!steps.outcome()) return steps.outcome();
  if (*bound) t.remove(binding);
  if (*indexed && (*indexed)->record.port_id == port.id) t.remove(index);
  return {};
}

Result<Attached> attach(store::Transaction& t, const AttachRequest& request) {
  if (Status name = check_interface_name(request.interface_name); !name)
    return failed(Error{Code::invalid, name.error().message, "interface"});
  const model::TakenFrom place{request.host_id, request.interface_name};
  if (!t.refused()) {
    // The usual case takes one round, or none: the commit fails when the host is not there or the interface is taken.
    const std::string served = paths::served_bridges(request.host_id);
    // That it is still the same port its version does not tell alone; that of all ports' folder does (note_ports_removed()).
    t.recall({paths::port(request.port_id), paths::ports, served}, {served});
    const Result<Stored<Port>> unbound = read_port(t, request.port_id);
    const Serving serving(t, request.host_id);
    if (!unbound && unbound.error().code == Code::pending) return failed(unbound);
    if (serving.pending()) return fail(Code::pending, "{} is being read", paths::served_bridges(request.host_id));
    if (unbound && !unbound->record.host_id && !request.previous_host_id) {
      record_binding(t, *unbound, place, {});
      announce(t, serving, request.host_id, unbound->record.bridge_id);
      return Attached{true};
    }
  }
  const std::string index = paths::bound_interface(request.host_id, request.interface_name);
  read_ahead(t, {paths::port(request.port_id), paths::host(request.host_id), index});

  Result<Stored<Port>> stored = read_port(t, request.port_id);
  if (!stored) return failed(stored);
  if (const auto host = read_host(t, request.host_id); !host) return failed(host);
  Port& port = stored->record;
  if (port.host_id == request.host_id && port.interface_name == request.interface_name) return Attached{false};
  if (Status allowed = may_move(request, port); !allowed) return failed(allowed);

  const auto holder = find<BoundInterface>(t, index);
  if (!holder) return failed(holder);
  if (*holder)
    return fail(Code::conflict, "Interface {} of host {} already carries port {}.", request.interface_name,
                request.host_id, (*holder)->record.port_id);

  Steps steps;
  const auto origin = origin_of(t, *stored, request.host_id);
  steps.add(origin);
  steps.add(unbind(t, port));
  if (!steps.outcome()) return failed(steps.outcome());
  record_binding(t, *stored, place, *origin);
  return Attached{true};
}

Result<Detached> detach(store::Transaction& t, const Uuid& port_id, std::optional<Uuid> only_host) {
  Result<Stored<Port>> stored = read_port(t, port_id);
  if (!stored && stored.error().code == Code::not_found && only_host) return Detached{false};
  if (!stored) return failed(stored);
  Port& port = stored->record;
  if (!port.host_id || (only_host && *port.host_id != *only_host)) return Detached{false};
  Steps steps;
  const Result<std::optional<model::TakenFrom>> back =
      only_host ? way_back(t, *stored) : std::optional<model::TakenFrom>();
  steps.add(back);
  steps.add(unbind(t, port));
  if (!steps.outcome()) return failed(steps.outcome());
  if (*back) {
    record_binding(t, *stored, **back, {});
    return Detached{true, *back};
  }
  port.host_id.reset();
  port.interface_name.reset();
  port.set_taken_from({});
  t.set(paths::port(port.id), encode(port, stored->node->value));
  return Detached{true};
}

Status bind_unbound(store::Transaction& t, const Uuid& host_id, const Binding& binding, bool require_tunnel_zone) {
  const std::string index = paths::bound_interface(host_id, binding.interface_name);
  read_ahead(t, {paths::host(host_id), paths::port(binding.port_id), index});
  const Result<bool> zone = require_tunnel_zone ? in_any_tunnel_zone(t, host_id) : true;

  if (const auto host = read_host(t, host_id); !host) return failed(host);
  if (!zone) return failed(zone);
  if (!*zone) return fail(Code::conflict, "The specified host is not in any tunnel zone.");
  const Result<Stored<Port>> port = read_port(t, binding.port_id);
  if (!port) return failed(port);
  if (port->record.host_id) return fail(Code::conflict, "Port {} is already bound to an interface", binding.port_id);
  const Result<bool> taken = exists(t, index);
  if (!taken) return failed(taken);
  if (*taken) return fail(Code::conflict, "Interface {} is already bound to a port.", binding.interface_name);

  const auto attached = attach(t, {binding.port_id, host_id, binding.interface_name});
  if (!attached) return failed(attached);
  return {};
}

}  // namespace midonet::topology
