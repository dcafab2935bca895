// /tenants: the owners of bridges.
#include "model/tenant.h"

#include <functional>
#include <set>

#include "api/resource.h"
#include "base/json.h"
#include "model/paths.h"
#include "topology/bridges.h"

namespace midonet::api {

using model::table;
using model::Tenant;

namespace {

Json describe_tenant(const std::string& base_uri, const std::string& id) {
  return model::entity(Tenant{id}, base_uri, {{"name", id}, {"description", ""}, {"enabled", true}});
}

Result<std::set<std::string>> read_tenants(View& view) {
  const auto names = topology::list_ids(view, model::paths::bridges);
  if (!names) return failed(names);
  topology::Steps steps;
  std::set<std::string> tenants;
  for (const std::string& name : *names) {
    const Result<Uuid> id = Uuid::parse(name);
    if (!id) continue;
    const auto bridge = topology::read_bridge(view, *id);
    // It went meanwhile, or it is damaged, which the list of bridges says.
    if (!bridge && (bridge.error().code == Code::not_found || bridge.error().code == Code::internal)) continue;
    if (steps.add(bridge) && !bridge->record.tenant_id.empty()) tenants.insert(bridge->record.tenant_id);
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return tenants;
}

// What a function makes of the tenants.
void answer_from_tenants(Context& context, std::function<Result<Answer>(const std::set<std::string>&)> made,
                         Reply reply) {
  answer(
      context,
      [made = std::move(made)](Transaction& t) -> Result<Answer> {
        const auto tenants = read_tenants(t);
        if (!tenants) return failed(tenants);
        return made(*tenants);
      },
      std::move(reply));
}

void list_tenants(Context& context, const Call& call, Reply reply) {
  answer_from_tenants(
      context,
      [call](const std::set<std::string>& tenants) -> Result<Answer> {
        Json list = Json::array();
        for (const std::string& id : tenants) list.push_back(describe_tenant(call.base_uri, id));
        return ok_json(call, list);
      },
      std::move(reply));
}

void show_tenant(Context& context, const Call& call, Reply reply) {
  answer_from_tenants(
      context,
      [call](const std::set<std::string>& tenants) -> Result<Answer> {
        const std::string& id = call.parameter("id");
        if (!tenants.contains(id)) return fail(Code::not_found, "There is no Tenant with ID {}.", id);
        return ok_json(call, describe_tenant(call.base_uri, id));
      },
      std::move(reply));
}

}  // namespace

void add_tenants(Router& router, Context& context) {
  router.add({.method = "GET",
              .path = root + "/tenants",
              .name = "listTenants",
              .summary = "The owners of bridges",
              .produces = table<Tenant>().collection_media_types(),
              .handler = [&context](const Call& call, Reply reply) { list_tenants(context, call, std::move(reply)); }});
  router.add({.method = "GET",
              .path = root + "/tenants/{id}",
              .name = "getTenant",
              .summary = "One owner of bridges",
              .produces = table<Tenant>().media_types(),
              .handler = [&context](const Call& call, Reply reply) { show_tenant(context, call, std::move(reply)); }});
}

}  // namespace midonet::api
