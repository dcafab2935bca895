// /tunnel_zones and /tunnel_zones/<id>/hosts
#include "topology/tunnel_zones.h"

#include "api/resource.h"
#include "base/json.h"
#include "model/paths.h"

namespace midonet::api {

using model::table;
using model::TunnelZone;
using model::TunnelZoneHost;

namespace {

Result<Json> describe_zone(View& view, const std::string& base_uri, const Uuid& id) {
  const auto zone = topology::read_tunnel_zone(view, id);
  if (!zone) return failed(zone);
  return model::entity(zone->record, base_uri, Json::object());
}

Result<Json> describe_member(View& view, const std::string& base_uri, const Uuid& zone, const Uuid& host) {
  const auto member = topology::read_tunnel_zone_host(view, zone, host);
  if (!member) return failed(member);
  return model::entity(member->record, base_uri, {{"tunnelZoneId", zone.to_string()}});
}

// A body of type gre as one of type vxlan, where that is what it stands for.
Call with_known_type(const Context& context, Call call) {
  if (!context.gre_means_vxlan) return call;
  Result<Json> body = model::parse_object(call.body);
  if (!body || body->value("type", Json()) != "gre") return call;
  (*body)["type"] = "vxlan";
  call.body = body->dump();
  return call;
}

void create_zone(Context& context, const Call& call, Reply reply) {
  TunnelZone zone;
  if (!read_body(call, table<TunnelZone>(), model::Writing::create, &zone, reply)) return;
  if (zone.id.is_nil()) zone.id = Uuid::random();
  answer(
      context,
      [zone, base = call.base_uri](Transaction& t) -> Result<Answer> {
        if (const Status made = topology::create_tunnel_zone(t, zone); !made) return failed(made);
        return created(base + "/tunnel_zones/" + zone.id.to_string());
      },
      std::move(reply));
}

void list_members(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> zone = id_in_path(call, "id");
  if (!zone) return reply(failed(zone));
  answer(
      context,
      [&context, zone = *zone, call](Transaction& t) -> Result<Answer> {
        const auto ids = topology::list_ids(t, model::paths::tunnel_zone_hosts(zone));
        if (const auto found = topology::read_tunnel_zone(t, zone); !found) return failed(found);
        if (!ids) return failed(ids);
        return list_answer(context, t, call, table<TunnelZoneHost>(), *ids,
                           {[zone](View& view, const std::string& base_uri, const Uuid& host) {
                             return describe_member(view, base_uri, zone, host);
                           }});
      },
      std::move(reply));
}

void add_member(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> zone = id_in_path(call, "id");
  if (!zone) return reply(failed(zone));
  TunnelZoneHost member;
  if (!read_body(call, table<TunnelZoneHost>(), model::Writing::create, &member, reply)) return;
  answer(
      context,
      [zone = *zone, member, base = call.base_uri](Transaction& t) -> Result<Answer> {
        if (const Status added = topology::add_tunnel_zone_host(t, zone, member); !added) return failed(added);
        return created(fmt::format("{}/tunnel_zones/{}/hosts/{}", base, zone, member.host_id));
      },
      std::move(reply));
}

// Runs `body` with the two ids of the path.
template <class Body>
void with_member(Context& context, const Call& call, Reply reply, Body body) {
  const Result<Uuid> zone = id_in_path(call, "id");
  if (!zone) return reply(failed(zone));
  const Result<Uuid> host = id_in_path(call, "hostId");
  if (!host) return reply(failed(host));
  answer(
      context, [zone = *zone, host = *host, body](Transaction& t) { return body(t, zone, host); }, std::move(reply));
}

void show_member(Context& context, const Call& call, Reply reply) {
  with_member(context, call, std::move(reply), [call](Transaction& t, const Uuid& zone, const Uuid& host) {
    const Result<Json> member = describe_member(t, call.base_uri, zone, host);
    if (const auto found = topology::read_tunnel_zone(t, zone); !found) return Result<Answer>(failed(found));
    if (!member) return Result<Answer>(failed(member));
    return Result<Answer>(ok_json(call, *member));
  });
}

void update_member(Context& context, const Call& call, const Reply& reply) {
  TunnelZoneHost scratch;
  const auto body = read_body(call, table<TunnelZoneHost>(), model::Writing::update, &scratch, reply);
  if (!body) return;
  with_member(context, call, reply, [body](Transaction& t, const Uuid& zone, const Uuid& host) -> Result<Answer> {
    const Status done = topology::update_tunnel_zone_host(t, zone, host, [&body](TunnelZoneHost& record) {
      (void)model::read_entity(*body, model::Writing::update, record);
    });
    if (!done) return failed(done);
    return no_content();
  });
}

void remove_member(Context& context, const Call& call, Reply reply) {
  with_member(context, call, std::move(reply),
              [](Transaction& t, const Uuid& zone, const Uuid& host) -> Result<Answer> {
                if (const Status done = topology::remove_tunnel_zone_host(t, zone, host); !done) return failed(done);
                return no_content();
              });
}

}  // namespace

void add_tunnel_zones(Router& router, Context& context) {
  const Table& zones = table<TunnelZone>();
  std::vector<std::string> member = table<TunnelZoneHost>().media_types();
  std::vector<std::string> members = table<TunnelZoneHost>().collection_media_types();
  if (context.gre_means_vxlan) {
    member.emplace_back("application/vnd.org.midonet.GreTunnelZoneHost-v1+json");
    members.emplace_back("application/vnd.org.midonet.collection.GreTunnelZoneHost-v1+json");
  }
  const std::string path = root + "/tunnel_zones";
  router.add({.method = "GET",
              .path = path,
              .name = "listTunnelZones",
              .summary = "All tunnel zones",
              .produces = zones.collection_media_types(),
              .handler = lister(context, zones, model::paths::tunnel_zones, {describe_zone})});
  router.add({.method = "POST",
              .path = path,
              .name = "createTunnelZone",
              .summary = "Make a tunnel zone",
              .consumes = zones.media_types(),
              .handler = [&context](const Call& call, Reply reply) {
                create_zone(context, with_known_type(context, call), std::move(reply));
              }});
  router.add({.method = "GET",
              .path = path + "/{id}",
              .name = "getTunnelZone",
              .summary = "One tunnel zone",
              .produces = zones.media_types(),
              .handler = shower(context, {describe_zone})});
  router.add(
      {.method = "PUT",
       .path = path + "/{id}",
       .name = "updateTunnelZone",
       .summary = "Change a tunnel zone",
       .consumes = zones.media_types(),
       .handler = [&context, update = updater<TunnelZone>(context, topology::update_tunnel_zone, 204)](
                      const Call& call, Reply reply) { update(with_known_type(context, call), std::move(reply)); }});
  router.add({.method = "DELETE",
              .path = path + "/{id}",
              .name = "deleteTunnelZone",
              .summary = "Delete a tunnel zone; its hosts leave it",
              .handler = remover(context, topology::delete_tunnel_zone, 204)});
  router.add({.method = "GET",
              .path = path + "/{id}/hosts",
              .name = "listTunnelZoneHosts",
              .summary = "The members of a tunnel zone",
              .produces = members,
              .handler = [&context](const Call& call, Reply reply) { list_members(context, call, std::move(reply)); }});
  router.add({.method = "POST",
              .path = path + "/{id}/hosts",
              .name = "addTunnelZoneHost",
              .summary = "Add a host to a tunnel zone",
              .consumes = member,
              .handler = [&context](const Call& call, Reply reply) { add_member(context, call, std::move(reply)); }});
  router.add({.method = "GET",
              .path = path + "/{id}/hosts/{hostId}",
              .name = "getTunnelZoneHost",
              .summary = "One member of a tunnel zone",
              .produces = member,
              .handler = [&context](const Call& call, Reply reply) { show_member(context, call, std::move(reply)); }});
  router.add({.method = "PUT",
              .path = path + "/{id}/hosts/{hostId}",
              .name = "updateTunnelZoneHost",
              .summary = "Change the address of a host in a tunnel zone",
              .consumes = member,
              .handler = [&context](const Call& call, Reply reply) { update_member(context, call, reply); }});
  router.add(
      {.method = "DELETE",
       .path = path + "/{id}/hosts/{hostId}",
       .name = "removeTunnelZoneHost",
       .summary = "Remove a host from a tunnel zone",
       .handler = [&context](const Call& call, Reply reply) { remove_member(context, call, std::move(reply)); }});
}

}  // namespace midonet::api
