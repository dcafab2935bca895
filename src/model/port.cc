#include "model/port.h"

namespace midonet::model {

namespace {
Status check_guest_mac(std::string_view text) {
  const Result<Mac> mac = Mac::parse(text);
  if (!mac) return {};  // said already
  if (mac->is_multicast() || mac->is_zero()) return fail(Code::invalid, "must be the address of one station");
  return {};
}
}  // namespace

template <>
const Table& table<Port>() {
  static const Table port{
      "Port",
      3,
      "An exterior port of a bridge, where a VM's interface is plugged.",
      {
          link("uri", "/ports/{id}", "This port."),
          field("id", &Port::id, Use::create_only, "The port; drawn by the server unless given.").not_stored(),
          derived("type", Kind::string, "What it is a port of.").one_of({"Bridge"}),
          field("deviceId", &Port::bridge_id, Use::read_only, "The bridge that it belongs to.")
              .stored_as("bridgeId")
              .refers_to("Bridge"),
          link("device", "/bridges/{deviceId}", "The bridge that it belongs to."),
          field("adminStateUp", &Port::admin_state_up, Use::optional, "Whether the port forwards at all."),
          field("macAddress", &Port::mac_address, Use::optional,
                "The guest's MAC address, so that it is known before it speaks.")
              .checked_by(check_guest_mac),
          field("hostId", &Port::host_id, Use::read_only, "The host that it is bound on.").refers_to("Host"),
          link("host", "/hosts/{hostId}", "The host that it is bound on."),
          field("interfaceName", &Port::interface_name, Use::read_only, "The interface that it is bound to there."),
          link("hostInterfacePort", "/hosts/{hostId}/ports/{id}", "Its binding."),
          field("vifId", &Port::vif_id, Use::optional, "The orchestrator's id of the VM's interface."),
          field("vlanId", &Port::vlan_id, Use::optional, "The VLAN of the port.").between(0, 4095),
          field("tunnelKey", &Port::tunnel_key, Use::read_only, "The key of frames for this port alone; not in use."),
          field("inboundFilterId", &Port::inbound_filter_id, Use::optional, "A chain for what enters the port.")
              .refers_to("Chain"),
          field("outboundFilterId", &Port::outbound_filter_id, Use::optional, "A chain for what leaves the port.")
              .refers_to("Chain"),
          derived("active", Kind::boolean, "Whether the kernel was read back as forwarding for the present binding."),
          derived("status", Kind::object, "What became of the present binding.").of("PortStatus"),
          derived("mtu", Kind::integer,
                  "The largest IP packet that the overlay carries from where the port is bound; null: nothing known.")
              .may_be_null(),
          link("attach_interface", "/ports/{id}/attach_interface", "POST here to bind the port to an interface."),
      }};
  return port;
}

}  // namespace midonet::model
