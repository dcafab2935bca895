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
          field("tenantId", &Bridge::tenant_id, Use::optional, "Whom it belongs to.")
              .between(0, 255)
              .filtered_by("tenant_id"),
          field("name", &Bridge::name, Use::optional, "A name for people; need not be unique.").between(0, 255),
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
          link("dhcpSubnets", "/bridges/{id}/dhcp", "Its DHCP subnets."),
      }};
  return bridge;
}

}  // namespace midonet::model
