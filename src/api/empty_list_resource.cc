// Lists that published clients follow a link to, and that are always empty here: DHCP subnets, linked ports, gateway ports
// and port groups.
#include "api/resource.h"
#include "base/json.h"
#include "topology/bridges.h"
#include "topology/ports.h"

namespace midonet::api {

namespace {

Status bridge_is_there(View& view, const Uuid& id) {
  const auto bridge = topology::read_bridge(view, id);
  if (!bridge) return failed(bridge);
  return {};
}

Status port_is_there(View& view, const Uuid& id) {
  const auto port = topology::read_port(view, id);
  if (!port) return failed(port);
  return {};
}

struct EmptyList {
  std::string path;
  std::string name;
  std::string summary;
  std::string item;  // of the media type
  Status (*owner_is_there)(View&, const Uuid&);
};

void add_empty_list(Router& router, Context& context, const EmptyList& list) {
  router.add({.method = "GET",
              .path = root + list.path,
              .name = list.name,
              .summary = list.summary,
              .produces = {"application/vnd.org.midonet.collection." + list.item + "+json"},
              .handler = [&context, owner_is_there = list.owner_is_there](const Call& call, Reply reply) {
                const Result<Uuid> id = id_in_path(call, "id");
                if (!id) return reply(failed(id));
                answer(
                    context,
                    [id = *id, call, owner_is_there](Transaction& t) -> Result<Answer> {
                      if (const Status there = owner_is_there(t, id); !there) return failed(there);
                      return ok_json(call, Json::array());
                    },
                    std::move(reply));
              }});
}

}  // namespace

void add_empty_lists(Router& router, Context& context) {
  const std::string bridge = "/bridges/{id}";
  add_empty_list(router, context,
                 {bridge + "/dhcp", "listDhcpSubnets", "The DHCP subnets of a bridge: always none", "DhcpSubnet-v2",
                  bridge_is_there});
  add_empty_list(router, context,
                 {bridge + "/dhcpV6", "listDhcpV6Subnets", "The DHCPv6 subnets of a bridge: always none",
                  "DhcpV6Subnet-v1", bridge_is_there});
  add_empty_list(router, context,
                 {bridge + "/peer_ports", "listPeerPorts", "Ports that a bridge's ports are linked to: always none",
                  "Port-v3", bridge_is_there});
  add_empty_list(router, context,
                 {bridge + "/vxlan_ports", "listVxLanPorts", "The VXLAN gateway ports of a bridge: always none",
                  "Port-v3", bridge_is_there});
  add_empty_list(router, context,
                 {"/ports/{id}/port_groups", "listPortGroupsOfPort", "The port groups of a port: always none",
                  "PortGroupPort-v1", port_is_there});
}

}  // namespace midonet::api
