// /hosts and /hosts/<id>/interfaces
#include "topology/hosts.h"

#include "api/resource.h"
#include "base/interface_name.h"
#include "base/json.h"
#include "model/paths.h"

namespace midonet::api {

using model::Host;
using model::Interface;
using model::table;
using topology::Steps;

namespace {

Result<Json> describe_interface(View& view, const std::string& base_uri, const Uuid& host, const std::string& name) {
  // A name that Linux refuses is nowhere, and might lead out of the folder.
  const auto found = check_interface_name(name) ? topology::find<Interface>(view, model::paths::interface(host, name))
                                                : std::optional<topology::Stored<Interface>>();
  if (!found) return failed(found);
  if (!*found) return fail(Code::not_found, "There is no Interface with ID {}.", name);
  return model::entity((*found)->record, base_uri, {{"hostId", host.to_string()}});
}

Result<Json> describe_interfaces(View& view, const std::string& base_uri, const Uuid& host) {
  const auto names = topology::list_ids(view, model::paths::interfaces(host));
  if (!names) return failed(names);
  Steps steps;
  Json list = Json::array();
  for (const std::string& name : *names) {
    Result<Json> interface = describe_interface(view, base_uri, host, name);
    // It went meanwhile, or its record is damaged: the agent will write it again.
    if (!interface && (interface.error().code == Code::not_found || interface.error().code == Code::internal)) continue;
    if (steps.add(interface)) list.push_back(*std::move(interface));
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return list;
}

Result<Json> describe_host(View& view, const std::string& base_uri, const Uuid& id) {
  topology::read_ahead(view, {model::paths::alive(id)});
  const Result<Json> interfaces = describe_interfaces(view, base_uri, id);
  const auto host = topology::read_host(view, id);
  if (!host) return failed(host);
  const Result<bool> alive = topology::exists(view, model::paths::alive(id));
  Steps steps;
  steps.add(alive);
  steps.add(interfaces);
  if (!steps.outcome()) return failed(steps.outcome());
  Json addresses = Json::array();
  for (const Json& interface : *interfaces)
    for (const Json& address : interface["addresses"]) addresses.push_back(address);
  return model::entity(host->record, base_uri,
                       {{"hostInterfaces", *interfaces}, {"addresses", addresses}, {"alive", *alive}});
}

void list_interfaces(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> host = id_in_path(call, "id");
  if (!host) return reply(failed(host));
  answer(
      context,
      [host = *host, call](Transaction& t) -> Result<Answer> {
        const Result<Json> interfaces = describe_interfaces(t, call.base_uri, host);
        if (const auto found = topology::read_host(t, host); !found) return failed(found);
        if (!interfaces) return failed(interfaces);
        return ok_json(call, *interfaces);
      },
      std::move(reply));
}

void show_interface(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> host = id_in_path(call, "id");
  if (!host) return reply(failed(host));
  answer(
      context,
      [host = *host, call](Transaction& t) -> Result<Answer> {
        const Result<Json> interface = describe_interface(t, call.base_uri, host, call.parameter("name"));
        if (const auto found = topology::read_host(t, host); !found) return failed(found);
        if (!interface) return failed(interface);
        return ok_json(call, *interface);
      },
      std::move(reply));
}

}  // namespace

void add_hosts(Router& router, Context& context) {
  const Table& hosts = table<Host>();
  const Table& interfaces = table<Interface>();
  router.add({.method = "GET",
              .path = root + "/hosts",
              .name = "listHosts",
              .summary = "All hosts",
              .produces = hosts.collection_media_types(),
              .handler = lister(context, hosts, model::paths::hosts, {describe_host})});
  router.add({.method = "GET",
              .path = root + "/hosts/{id}",
              .name = "getHost",
              .summary = "One host",
              .produces = hosts.media_types(),
              .handler = shower(context, {describe_host})});
  router.add({.method = "PUT",
              .path = root + "/hosts/{id}",
              .name = "updateHost",
              .summary = "Change a host",
              .consumes = hosts.media_types(),
              .handler = updater<Host>(context, topology::update_host, 200)});
  router.add({.method = "DELETE",
              .path = root + "/hosts/{id}",
              .name = "deleteHost",
              .summary = "Delete a host that has neither a live agent nor bindings",
              .handler = remover(context, topology::delete_host, 200)});
  router.add(
      {.method = "GET",
       .path = root + "/hosts/{id}/interfaces",
       .name = "listInterfaces",
       .summary = "The network interfaces of a host",
       .produces = interfaces.collection_media_types(),
       .handler = [&context](const Call& call, Reply reply) { list_interfaces(context, call, std::move(reply)); }});
  router.add(
      {.method = "GET",
       .path = root + "/hosts/{id}/interfaces/{name}",
       .name = "getInterface",
       .summary = "One network interface of a host",
       .produces = interfaces.media_types(),
       .handler = [&context](const Call& call, Reply reply) { show_interface(context, call, std::move(reply)); }});
}

}  // namespace midonet::api
