// /bridges
#include "topology/bridges.h"

#include "api/resource.h"
#include "base/json.h"
#include "model/paths.h"

namespace midonet::api {

using model::Bridge;
using model::table;

namespace {

Result<Json> describe_bridge(View& view, const std::string& base_uri, const Uuid& id) {
  const auto bridge = topology::read_bridge(view, id);
  if (!bridge) return failed(bridge);
  return model::entity(bridge->record, base_uri, Json::object());
}

void create_bridge(Context& context, const Call& call, Reply reply) {
  Bridge bridge;
  if (!read_body(call, table<Bridge>(), model::Writing::create, &bridge, reply)) return;
  if (bridge.id.is_nil()) bridge.id = Uuid::random();
  answer(
      context,
      [bridge, base = call.base_uri](Transaction& t) -> Result<Answer> {
        if (const Status made = topology::create_bridge(t, bridge); !made) return failed(made);
        return created(base + "/bridges/" + bridge.id.to_string());
      },
      std::move(reply));
}

}  // namespace

void add_bridges(Router& router, Context& context) {
  const Table& bridges = table<Bridge>();
  router.add({.method = "GET",
              .path = root + "/bridges",
              .name = "listBridges",
              .summary = "All bridges",
              .produces = bridges.collection_media_types(),
              .handler = lister(context, bridges, model::paths::bridges, {describe_bridge})});
  router.add(
      {.method = "POST",
       .path = root + "/bridges",
       .name = "createBridge",
       .summary = "Make a bridge",
       .consumes = bridges.media_types(),
       .handler = [&context](const Call& call, Reply reply) { create_bridge(context, call, std::move(reply)); }});
  router.add({.method = "GET",
              .path = root + "/bridges/{id}",
              .name = "getBridge",
              .summary = "One bridge",
              .produces = bridges.media_types(),
              .handler = shower(context, {describe_bridge})});
  router.add({.method = "PUT",
              .path = root + "/bridges/{id}",
              .name = "updateBridge",
              .summary = "Change a bridge",
              .consumes = bridges.media_types(),
              .handler = updater<Bridge>(context, topology::update_bridge, 204)});
  router.add({.method = "DELETE",
              .path = root + "/bridges/{id}",
              .name = "deleteBridge",
              .summary = "Delete a bridge with its ports and their bindings",
              .handler = remover(context, topology::delete_bridge, 204)});
}

}  // namespace midonet::api
