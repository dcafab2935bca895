#include "model/bridge.h"

namespace midonet::model {

template <>
const Table& table<Bridge>() {
  static const Table bridge{
      "Bridge",
      4,
      "A virtual layer-2 network.",
      {
          link("uri", "/bridges/{id}", "This bridge."),
          field("id", &Bridge::id, Use::create_only, "The bridge; drawn by the server unless given.").not_stored(),
          field("tenantId", &Bridge::tenant_id, Use::optional, "The tenant that owns it.")
              .between(0, 255)
              .null_when_empty()
              .filtered_by("tenant_id"),
          field("name", &Bridge::name, Use::optional, "A name for people; need not be unique.")
              .between(0, 255)
              .null_when_empty(),
          field("adminStateUp", &Bridge::admin_state_up, Use::optional, "Whether the bridge forwards at all."),
          field("inboundFilterId", &Bridge::inbound_filter_id, Use::optional, "A chain for what enters the bridge.")
              .refers_to("Chain"),
          field("outboundFilterId", &Bridge::outbound_filter_id, Use::optional, "A chain for what leaves the bridge.")
              .refers_to("Chain"),
          field("vni", &Bridge::vni, Use::read_only, "Its VXLAN network identifier, given at creation, for good."),
          link("ports", "/bridges/{id}/ports", "Its ports."),
          link("macTable", "/bridges/{id}/mac_table", "Its MAC table."),
          link("macPortTemplate", "/bridges/{id}/mac_table/{{macAddress}}_{{portId}}", "One entry of its MAC table."),
          link("arpTable", "/bridges/{id}/arp_table", "Its ARP table."),
          link("dhcpSubnets", "/bridges/{id}/dhcp", "Its DHCP subnets: none."),
          link("dhcpSubnet6s", "/bridges/{id}/dhcpV6", "Its DHCPv6 subnets: none."),
          link("peerPorts", "/bridges/{id}/peer_ports", "Ports of other devices that its ports are linked to: none."),
          link("vxLanPorts", "/bridges/{id}/vxlan_ports", "Its VXLAN gateway ports: none."),
          empty("vxLanPortIds", Kind::uuids, "there are no VXLAN gateway ports; must be null or empty"),
          empty("inboundFilter", Kind::uri),
          empty("outboundFilter", Kind::uri),
          empty("inboundMirrorIds", Kind::uuids, "there are no mirrors; must be null or empty"),
          empty("outboundMirrorIds", Kind::uuids, "there are no mirrors; must be null or empty"),
          empty("qosPolicyId", Kind::uuid, "there are no QoS policies; must be null"),
          empty("vlanMacTableTemplate", Kind::uri),
          empty("vlanMacPortTemplate", Kind::uri),
      },
      {5}};
  return bridge;
}

}  // namespace midonet::model
