// /hosts/<id>/ports: bindings by host, the face of the MidoNet 5 API.
#include "model/binding.h"

#include "api/resource.h"
#include "base/json.h"
#include "model/paths.h"
#include "topology/attach.h"
#include "topology/hosts.h"
#include "topology/ports.h"

namespace midonet::api {

using model::Binding;
using model::table;

Result<Json> describe_binding(View& view, const std::string& base_uri, const Uuid& host, const Uuid& port) {
  const auto binding = topology::find<Binding>(view, model::paths::binding(host, port));
  model::Port bound;
  bound.id = port;
  bound.host_id = host;
  const Result<model::PortStatus> status = topology::port_status(view, bound);
  if (!binding) return failed(binding);
  if (!*binding) return fail(Code::not_found, "There is no {} with ID {}.", table<Binding>().name, port);
  if (!status) return failed(status);
  return model::entity((*binding)->record, base_uri,
                       {{"hostId", host.to_string()}, {"status", model::entity(*status, base_uri, Json::object())}});
}

namespace {

void list(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> host = id_in_path(call, "id");
  if (!host) return reply(failed(host));
  answer(
      context,
      [&context, host = *host, call](Transaction& t) -> Result<Answer> {
        const auto ids = topology::list_ids(t, model::paths::bindings(host));
        if (const auto found = topology::read_host(t, host); !found) return failed(found);
        if (!ids) return failed(ids);
        return list_answer(context, t, call, table<Binding>(), *ids,
                           {[host](View& view, const std::string& base_uri, const Uuid& port) {
                             return describe_binding(view, base_uri, host, port);
                           }});
      },
      std::move(reply));
}

void create_binding(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> host = id_in_path(call, "id");
  if (!host) return reply(failed(host));
  Binding binding;
  if (!read_body(call, table<Binding>(), model::Writing::create, &binding, reply)) return;
  answer(
      context,
      [host = *host, binding, zone = context.require_tunnel_zone,
       base = call.base_uri](Transaction& t) -> Result<Answer> {
        if (const Status bound = topology::bind_unbound(t, host, binding, zone); !bound) return failed(bound);
        return created(fmt::format("{}/hosts/{}/ports/{}", base, host, binding.port_id));
      },
      std::move(reply));
}

// Runs `body` with the two ids of the path, when there is such a host.
template <class Body>
void with_binding(Context& context, const Call& call, Reply reply, Body body) {
  const Result<Uuid> host = id_in_path(call, "id");
  if (!host) return reply(failed(host));
  const Result<Uuid> port = id_in_path(call, "portId");
  if (!port) return reply(failed(port));
  answer(
      context,
      [host = *host, port = *port, call, body](Transaction& t) -> Result<Answer> {
        topology::read_ahead(t, {model::paths::binding(host, port), model::paths::port(port)});
        if (const auto found = topology::read_host(t, host); !found) return failed(found);
        return body(t, call, host, port);
      },
      std::move(reply));
}

Result<Answer> show(Transaction& t, const Call& call, const Uuid& host, const Uuid& port) {
  const Result<Json> binding = describe_binding(t, call.base_uri, host, port);
  if (!binding) return failed(binding);
  return ok_json(call, *binding);
}

Result<Answer> remove(Transaction& t, const Call&, const Uuid& host, const Uuid& port) {
  const Result<topology::Detached> detached = topology::detach(t, port, host);
  if (!detached) return failed(detached);
  if (detached->changed) return no_content();
  // A client that deletes again is told of success: the port is there, and unbound as it wanted.
  const auto there = topology::read_port(t, port);
  if (!there && there.error().code != Code::not_found) return failed(there);
  if (there && !there->record.host_id) return no_content();
  return fail(Code::not_found, "There is no {} with ID {}.", table<Binding>().name, port);
}

}  // namespace

void add_bindings(Router& router, Context& context) {
  const Table& bindings = table<Binding>();
  router.add({.method = "GET",
              .path = root + "/hosts/{id}/ports",
              .name = "listBindings",
              .summary = "The bindings of a host",
              .produces = bindings.collection_media_types(),
              .handler = [&context](const Call& call, Reply reply) { list(context, call, std::move(reply)); }});
  router.add(
      {.method = "POST",
       .path = root + "/hosts/{id}/ports",
       .name = "createBinding",
       .summary = "Bind an unbound port to a free interface of a host",
       .consumes = bindings.media_types(),
       .handler = [&context](const Call& call, Reply reply) { create_binding(context, call, std::move(reply)); }});
  router.add(
      {.method = "GET",
       .path = root + "/hosts/{id}/ports/{portId}",
       .name = "getBinding",
       .summary = "One binding of a host with its status",
       .produces = bindings.media_types(),
       .handler = [&context](const Call& call, Reply reply) { with_binding(context, call, std::move(reply), show); }});
  router.add({.method = "DELETE",
              .path = root + "/hosts/{id}/ports/{portId}",
              .name = "deleteBinding",
              .summary = "Detach a port from its interface on a host; a success also if it is unbound",
              .handler = [&context](const Call& call, Reply reply) {
                with_binding(context, call, std::move(reply), remove);
              }});
}

}  // namespace midonet::api
