// GET of the root and of the system's state, and the answer for routers, of which there are none.
#include "model/application.h"

#include "api/resource.h"
#include "base/json.h"

namespace midonet::api {

using model::Application;
using model::SystemState;
using model::table;

namespace {

Json describe_system_state(const Context& context, const std::string& base_uri) {
  Json said{{"version", MIDONET_VERSION}, {"availability", "READWRITE"}};
  if (context.store.state() == store::State::disconnected) {
    said["availability"] = "UNAVAILABLE";
    said["information"] = fmt::format(
        "The store {} cannot be reached: nothing can be read or changed here. Frames are forwarded as before.",
        context.store.uri());
  }
  return model::entity(SystemState{}, base_uri, said);
}

}  // namespace

void add_application(Router& router, Context& context) {
  router.add({.method = "GET",
              .path = root,
              .name = "getApplication",
              .summary = "Where the resources are",
              .produces = table<Application>().media_types(),
              .handler = [](const Call& call, const Reply& reply) {
                reply(ok_json(call, model::entity(Application{}, call.base_uri, Json::object())));
              }});
  router.add({.method = "GET",
              .path = root + "/system_state",
              .name = "getSystemState",
              .summary = "The state of the system",
              .produces = table<SystemState>().media_types(),
              .without_store = true,
              .handler = [&context](const Call& call, const Reply& reply) {
                reply(ok_json(call, describe_system_state(context, call.base_uri)));
              }});
  router.add({.method = "GET",
              .path = root + "/routers/{id}",
              .name = "getRouter",
              .summary = "There are no routers: always 404; clients look for a device here before they try bridges",
              .produces = {"application/vnd.org.midonet.Router-v3+json"},
              .handler = [](const Call& call, const Reply& reply) {
                const Result<Uuid> id = id_in_path(call, "id");
                if (!id) return reply(failed(id));
                reply(fail(Code::not_found, "There is no Router with ID {}.", *id));
              }});
}

}  // namespace midonet::api
