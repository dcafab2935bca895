#include "model/tunnel_zone.h"

#include <algorithm>

namespace midonet::model {

namespace {

bool begins(std::span<const std::uint8_t> bytes, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// What no host of a network can be reached at (RFC 6890). Empty: a host can.
std::string_view unusable(const Ip& ip) {
  const auto bytes = ip.bytes();
  if (ip.is_v4()) {
    if (bytes[0] == 0) return "is no host's address";
    if (bytes[0] == 127) return "is a loopback address";
    if (begins(bytes, {169, 254})) return "is a link-local address";
    if (begins(bytes, {255, 255, 255, 255})) return "is the broadcast address";
    if (bytes[0] >= 240) return "is a reserved address";
    if (bytes[0] >= 224) return "is a multicast address";
    return {};
  }
  if (all_zero(bytes)) return "is no host's address";
  if (all_zero(bytes.first(15)) && bytes[15] == 1) return "is a loopback address";
  if (all_zero(bytes.first(10)) && bytes[10] == 0xff && bytes[11] == 0xff) return "is an IPv4 address; write it as one";
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return "is a link-local address";
  if (bytes[0] == 0xff) return "is a multicast address";
  return {};
}

Status check_tunnel_end(std::string_view text) {
  const Result<Ip> ip = Ip::parse(text);
  if (!ip) return {};  // said already
  if (const std::string_view why = unusable(*ip); !why.empty()) return fail(Code::invalid, "{} {}", *ip, why);
  return {};
}

}  // namespace

template <>
const Table& table<TunnelZone>() {
  static const Table zone{
      "TunnelZone",
      1,
      "Hosts that reach each other through tunnels.",
      {
          link("uri", "/tunnel_zones/{id}", "This tunnel zone."),
          field("id", &TunnelZone::id, Use::create_only, "The zone; drawn by the server unless given.").not_stored(),
          field("name", &TunnelZone::name, Use::required, "A name that no other tunnel zone has.").between(1, 255),
          field("type", &TunnelZone::type, Use::optional, "How its hosts tunnel.")
              .one_of({"vxlan"})
              .refuses_others("must be vxlan; gre is taken for it with the server's option gre-means-vxlan"),
          link("hosts", "/tunnel_zones/{id}/hosts", "Its members."),
      }};
  return zone;
}

template <>
const Table& table<TunnelZoneHost>() {
  static const Table member{
      "TunnelZoneHost",
      1,
      "A host's membership of a tunnel zone.",
      {
          link("uri", "/tunnel_zones/{tunnelZoneId}/hosts/{hostId}", "This membership."),
          derived("tunnelZoneId", Kind::uuid, "The zone.").refers_to("TunnelZone"),
          field("hostId", &TunnelZoneHost::host_id, Use::required, "The host; an update does not change it.")
              .not_stored()
              .refers_to("Host"),
          field("ipAddress", &TunnelZoneHost::ip_address, Use::required,
                "The address at which the other hosts of the zone reach this host; unique in the zone.")
              .checked_by(check_tunnel_end),
          link("host", "/hosts/{hostId}", "The host."),
          link("tunnelZone", "/tunnel_zones/{tunnelZoneId}", "The zone."),
      }};
  return member;
}

template <>
const Table& table<ZoneAddress>() {
  static const Table address{"ZoneAddress",
                             0,
                             "Which member of a tunnel zone has an address.",
                             {field("hostId", &ZoneAddress::host_id, Use::required, "The host.").refers_to("Host")}};
  return address;
}

}  // namespace midonet::model
