#include "model/port.h"

#include <charconv>

namespace midonet::model {

namespace {
Status check_guest_mac(std::string_view text) {
  const Result<Mac> mac = Mac::parse(text);
  if (!mac) return {};  // said already
  if (mac->is_multicast() || mac->is_zero()) return fail(Code::invalid, "must be the address of one station");
  return {};
}
constexpr std::int64_t most_elements = 1000;  // of each array: a port's record stays far below what a store takes
}  // namespace

std::optional<TakenFrom> Port::taken_from() const {
  if (!taken_from_host || !taken_from_interface) return {};
  return TakenFrom{*taken_from_host, *taken_from_interface};
}

void Port::set_taken_from(const std::optional<TakenFrom>& from) {
  taken_from_host = from ? std::optional(from->host_id) : std::nullopt;
  taken_from_interface = from ? std::optional(from->interface_name) : std::nullopt;
}

Result<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const Result<Ip> ip = Ip::parse(text.substr(0, slash));
  const std::size_t bits = ip ? ip->bytes().size() * 8 : 0;
  if (ip && slash == std::string_view::npos) return Prefix{*ip, static_cast<std::uint8_t>(bits)};
  const std::string_view digits = ip ? text.substr(slash + 1) : std::string_view();
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!ip || error != std::errc() || end != digits.data() + digits.size() || length > bits)
    return fail(Code::invalid, "must be an IP address, or one with a prefix length");
  return Prefix{*ip, static_cast<std::uint8_t>(length)};
}

Status check_address_or_prefix(std::string_view text) {
  const auto prefix = parse_prefix(text);
  return prefix ? Status() : Status(failed(prefix));
}

template <>
const Table& table<FixedIp>() {
  static const Table fixed{
      "FixedIp",
      0,
      "An address that the orchestrator gave to a port.",
      {
          field("subnetId", &FixedIp::subnet_id, Use::optional, "The orchestrator's id of the subnet that it is of."),
          field("ipAddress", &FixedIp::ip_address, Use::required, "The address."),
      }};
  return fixed;
}

template <>
const Table& table<AddressPair>() {
  static const Table pair{
      "AddressPair",
      0,
      "Addresses besides its own that a port's guest may send from.",
      {
          field("ipAddress", &AddressPair::ip_address, Use::required, "An address, or one with a prefix length.")
              .checked_by(check_address_or_prefix),
          field("macAddress", &AddressPair::mac_address, Use::optional, "With this MAC address; null: the port's own."),
      }};
  return pair;
}

template <>
const Table& table<Port>() {
  static const Table port{
      "Port",
      3,
      "An exterior port of a bridge, where a VM's interface is plugged.",
      {
          link("uri", "/ports/{id}", "This port."),
          field("id", &Port::id, Use::create_only, "The port; drawn by the server unless given.").not_stored(),
          derived("type", Kind::string, "The kind of device that it belongs to.")
              .one_of({"Bridge"})
              .refuses_others("Not a bridge port."),
          field("deviceId", &Port::bridge_id, Use::read_only, "The bridge that it belongs to.")
              .stored_as("bridgeId")
              .refers_to("Bridge"),
          link("device", "/bridges/{deviceId}", "The bridge that it belongs to."),
          field("adminStateUp", &Port::admin_state_up, Use::optional, "Whether the port forwards at all."),
          field("macAddress", &Port::mac_address, Use::optional,
                "The guest's MAC address, so that it is known before the guest's first frame.")
              .checked_by(check_guest_mac),
          field("hostId", &Port::host_id, Use::read_only, "The host that it is bound on.").refers_to("Host"),
          link("host", "/hosts/{hostId}", "The host that it is bound on."),
          field("interfaceName", &Port::interface_name, Use::read_only, "The interface that it is bound to there."),
          link("hostInterfacePort", "/hosts/{hostId}/ports/{id}", "Its binding."),
          field("vifId", &Port::vif_id, Use::optional, "The orchestrator's id of the VM's interface."),
          field("name", &Port::name, Use::optional, "A name for people; need not be unique.")
              .between(0, 255)
              .null_when_empty(),
          field("fixedIps", &Port::fixed_ips, Use::optional,
                "Its addresses, as the orchestrator gave them. While the port is plugged, ARP requests for them are "
                "answered with its macAddress.")
              .of("FixedIp")
              .between(0, most_elements),
          field("allowedAddressPairs", &Port::allowed_address_pairs, Use::optional,
                "Other addresses that its guest may send from, where portSecurityEnabled is true.")
              .of("AddressPair")
              .between(0, most_elements),
          field("securityGroupIds", &Port::security_group_ids, Use::optional,
                "The orchestrator's ids of its security groups. Kept; not in use.")
              .between(0, most_elements),
          field("portSecurityEnabled", &Port::port_security, Use::optional,
                "Whether its guest may send from its own addresses alone: macAddress with fixedIps, and "
                "allowedAddressPairs. "
                "false or null: from any.")
              .stored_as("portSecurity"),
          field("vlanId", &Port::vlan_id, Use::optional, "Kept for clients; not in use.")
              .null_when_empty()
              .refuses_others("ports of a VLAN are not supported; must be null or 0"),
          field("tunnelKey", &Port::tunnel_key, Use::read_only, "The key of frames for this port alone; not in use."),
          field("inboundFilterId", &Port::inbound_filter_id, Use::optional, "A chain for what enters the port.")
              .refers_to("Chain"),
          field("outboundFilterId", &Port::outbound_filter_id, Use::optional, "A chain for what leaves the port.")
              .refers_to("Chain"),
          derived("active", Kind::boolean,
                  "Whether the agent has read back from the kernel that the port forwards for the present binding."),
          derived("status", Kind::object, "The state of the present binding.").of("PortStatus"),
          derived("mtu", Kind::integer,
                  "The largest IP packet that the overlay carries from the port's host; null: not known.")
              .may_be_null(),
          link("attach_interface", "/ports/{id}/attach_interface", "POST here to bind the port to an interface."),
          link("portGroups", "/ports/{id}/port_groups", "The port groups that it is in: none."),
          empty("link", Kind::uri),
          empty("peer", Kind::uri),
          empty("peerId", Kind::uuid, "a port of a bridge cannot be linked; must be null"),
          empty("inboundFilter", Kind::uri),
          empty("outboundFilter", Kind::uri),
          empty("inboundMirrorIds", Kind::uuids, "there are no mirrors; must be null or empty"),
          empty("outboundMirrorIds", Kind::uuids, "there are no mirrors; must be null or empty"),
          empty("postInFilterMirrorIds", Kind::uuids, "there are no mirrors; must be null or empty"),
          empty("preOutFilterMirrorIds", Kind::uuids, "there are no mirrors; must be null or empty"),
          empty("insertionIds", Kind::uuids, "there are no service insertions; must be null or empty"),
          empty("qosPolicyId", Kind::uuid, "there are no QoS policies; must be null"),
          internal("takenFromHost", &Port::taken_from_host, "The host that it was taken over from."),
          internal("takenFromInterface", &Port::taken_from_interface, "The interface that it was bound to there."),
      },
      {4}};
  return port;
}

}  // namespace midonet::model
