#include "topology/attach.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/interface_name.h"
#include "model/binding.h"
#include "model/offer.h"
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
  // The host's record on a bridge that it does not serve yet; nothing when its agent is to make it.
  std::optional<model::BridgeHost> begins(const Uuid& bridge) const {
    if (!place || !bridges || std::binary_search(bridges->begin(), bridges->end(), bridge.to_string())) return {};
    auto host = model::decode_bridge_host((*place)->value);
    if (!host || !std::exchange(host->adopts, false)) return {};
    return *host;
  }
};

// Stages the records of a port that is bound nowhere any more as bound there; with `serves`, also that the host serves the
// bridge from now on (ADR 19). Each folder has a hint about its new children.
void record_binding(store::Transaction& t, const Stored<Port>& stored, const model::TakenFrom& place,
                    const std::optional<model::TakenFrom>& taken_from,
                    const std::optional<model::BridgeHost>& serves = {}) {
  Port port = stored.record;
  port.host_id = place.host_id;
  port.interface_name = place.interface_name;
  const std::string path = paths::binding(place.host_id, port.id);
  t.create(path, encode(Binding{port.id, place.interface_name}));
  t.create(paths::bound_interface(place.host_id, place.interface_name), encode(BoundInterface{port.id}));
  port.set_taken_from(taken_from);
  t.set(paths::port(port.id), encode(port, stored.node->value));
  const std::string host = paths::bridge_host(port.bridge_id, place.host_id);
  if (serves) {
    t.create(paths::served_bridge(place.host_id, port.bridge_id), "");
    t.create(host, encode(*serves));
    t.tell(paths::bridge_hosts(port.bridge_id), {host});
  }
  t.tell(paths::bindings(place.host_id), {path, paths::port(port.id), host});
}

// Stages the removal of what the commit of a binding said of a host and a bridge, where the host's agent has said nothing yet.
Status withdraw_silent_host(store::Transaction& t, const Uuid& host, const Uuid& bridge) {
  const std::string path = paths::bridge_host(bridge, host);
  const auto node = t.get(path);
  if (!node) return node.error().code == Code::not_found ? Status() : failed(node);
  const auto record = model::decode_bridge_host((*node)->value);
  if (!record || !record->chunks.empty()) return {};
  const std::string index = paths::served_bridge(host, bridge);
  const Result<bool> indexed = exists(t, index);
  if (!indexed) return failed(indexed);
  t.remove(path);
  if (*indexed) t.remove(index);
  return {};
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
  steps.add(withdraw_silent_host(t, *port.host_id, port.bridge_id));
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
    // The usual case takes one round: the commit fails when the host is not there or the interface is taken.
    const Result<Stored<Port>> unbound = read_port(t, request.port_id);
    const Serving serving(t, request.host_id);
    if (!unbound && unbound.error().code == Code::pending) return failed(unbound);
    if (serving.pending()) return fail(Code::pending, "{} is being read", paths::served_bridges(request.host_id));
    if (unbound && !unbound->record.host_id && !request.previous_host_id) {
      record_binding(t, *unbound, place, {}, serving.begins(unbound->record.bridge_id));
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
