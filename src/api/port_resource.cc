// /ports and /bridges/<id>/ports
#include "topology/ports.h"

#include "api/resource.h"
#include "base/json.h"
#include "model/paths.h"
#include "topology/bridges.h"

namespace midonet::api {

using model::Port;
using model::table;

Result<Json> describe_port(View& view, const std::string& base_uri, const Uuid& id) {
  const auto port = topology::read_port(view, id);
  if (!port) return failed(port);
  const Result<model::PortStatus> status = topology::port_status(view, port->record);
  if (!status) return failed(status);
  return port_entity(port->record, *status, base_uri);
}

namespace {

Json derived_of(const model::PortStatus& status, const std::string& base_uri) {
  const Json described = model::entity(status, base_uri, Json::object());
  return {{"status", described}, {"active", topology::is_active(status)}, {"mtu", described.at("mtu")}};
}

Result<std::string> port_text(View& view, const std::string& base_uri, const Uuid& id) {
  const auto port = topology::read_port(view, id);
  if (!port) return failed(port);
  const Result<model::PortStatus> status = topology::port_status(view, port->record);
  if (!status) return failed(status);
  return model::entity_text(table<Port>(), &port->record, base_uri, derived_of(*status, base_uri));
}

const Describe described_port{.entity = describe_port, .text = port_text};

}  // namespace

Json port_entity(const Port& port, const model::PortStatus& status, const std::string& base_uri) {
  return model::entity(port, base_uri, derived_of(status, base_uri));
}

namespace {

void list_of_bridge(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> bridge = id_in_path(call, "id");
  if (!bridge) return reply(failed(bridge));
  answer(
      context,
      [&context, bridge = *bridge, call](Transaction& t) -> Result<Answer> {
        const auto ids = topology::list_ids(t, model::paths::bridge_ports(bridge));
        if (const auto found = topology::read_bridge(t, bridge); !found) return failed(found);
        if (!ids) return failed(ids);
        return list_answer(context, t, call, table<Port>(), *ids, described_port);
      },
      std::move(reply));
}

void create_port(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> bridge = id_in_path(call, "id");
  if (!bridge) return reply(failed(bridge));
  Port port;
  if (!read_body(call, table<Port>(), model::Writing::create, &port, reply)) return;
  if (port.id.is_nil()) port.id = Uuid::random();
  port.bridge_id = *bridge;
  answer(
      context,
      [port, base = call.base_uri](Transaction& t) -> Result<Answer> {
        if (const Status made = topology::create_port(t, port); !made) return failed(made);
        return created(base + "/ports/" + port.id.to_string());
      },
      std::move(reply));
}

}  // namespace

void add_ports(Router& router, Context& context) {
  const Table& ports = table<Port>();
  router.add(
      {.method = "GET",
       .path = root + "/bridges/{id}/ports",
       .name = "listBridgePorts",
       .summary = "The ports of a bridge",
       .produces = ports.collection_media_types(),
       .handler = [&context](const Call& call, Reply reply) { list_of_bridge(context, call, std::move(reply)); }});
  router.add({.method = "POST",
              .path = root + "/bridges/{id}/ports",
              .name = "createPort",
              .summary = "Make a port of a bridge",
              .consumes = ports.media_types(),
              .handler = [&context](const Call& call, Reply reply) { create_port(context, call, std::move(reply)); }});
  router.add({.method = "GET",
              .path = root + "/ports",
              .name = "listPorts",
              .summary = "All ports",
              .produces = ports.collection_media_types(),
              .handler = lister(context, ports, model::paths::ports, described_port)});
  router.add({.method = "GET",
              .path = root + "/ports/{id}",
              .name = "getPort",
              .summary = "One port with its status",
              .produces = ports.media_types(),
              .handler = shower(context, {describe_port})});
  router.add({.method = "PUT",
              .path = root + "/ports/{id}",
              .name = "updatePort",
              .summary = "Change a port; its binding cannot be changed here",
              .consumes = ports.media_types(),
              .handler = updater<Port>(context, topology::update_port, 204)});
  router.add({.method = "DELETE",
              .path = root + "/ports/{id}",
              .name = "deletePort",
              .summary = "Delete a port with its binding",
              .handler = remover(context, topology::delete_port, 204)});
}

}  // namespace midonet::api
