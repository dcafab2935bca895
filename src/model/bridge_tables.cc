#include "model/bridge_tables.h"

#include <fmt/format.h>

#include <algorithm>

namespace midonet::model {

namespace {
std::string dashed(const Mac& mac) {
  std::string text = mac.to_string();
  std::replace(text.begin(), text.end(), ':', '-');
  return text;
}
Status check_station(std::string_view text) {
  const Result<Mac> mac = Mac::parse(text);
  if (mac && (mac->is_multicast() || mac->is_zero())) return fail(Code::invalid, "must be the address of one station");
  return {};
}
Status check_ipv4(std::string_view text) {
  const Result<Ip> ip = Ip::parse(text);
  if (ip && !ip->is_v4()) return fail(Code::invalid, "must be an IPv4 address");
  return {};
}
}  // namespace

std::string name_of(const MacPort& entry) { return fmt::format("{}_{}", dashed(entry.mac), entry.port_id); }
std::string name_of(const Ip4Mac& entry) { return fmt::format("{}_{}", entry.ip, dashed(entry.mac)); }

template <>
const Table& table<MacEntry>() {
  static const Table entry{"MacEntry",
                           0,
                           "The port that a MAC address leads to, set by hand.",
                           {field("portId", &MacEntry::port_id, Use::required, "The port.").refers_to("Port")}};
  return entry;
}

template <>
const Table& table<ArpEntry>() {
  static const Table entry{"ArpEntry",
                           0,
                           "The MAC address of an IP address, set by hand.",
                           {field("mac", &ArpEntry::mac, Use::required, "The MAC address.")}};
  return entry;
}

template <>
const Table& table<MacPort>() {
  static const Table entry{
      "MacPort",
      2,
      "The port of a bridge that a MAC address leads to: set by hand, or learned by the port's host. A host in no "
      "tunnel zone does not publish learned addresses.",
      {
          derived("uri", Kind::uri, "This entry."),
          field("macAddr", &MacPort::mac, Use::required, "The MAC address.").checked_by(check_station),
          field("portId", &MacPort::port_id, Use::required, "The port; one of this bridge.").refers_to("Port"),
          empty("vlanId", Kind::integer, "entries of a VLAN are not supported; must be null or 0"),
      }};
  return entry;
}

template <>
const Table& table<Ip4Mac>() {
  static const Table entry{"IP4Mac",
                           1,
                           "The MAC address of an IP address, set by hand: the hosts answer ARP requests for it. It "
                           "comes before the fixedIps of ports, which are not listed here.",
                           {
                               derived("uri", Kind::uri, "This entry."),
                               field("ip", &Ip4Mac::ip, Use::required, "The IPv4 address.").checked_by(check_ipv4),
                               field("mac", &Ip4Mac::mac, Use::required, "Its MAC address.").checked_by(check_station),
                           }};
  return entry;
}

}  // namespace midonet::model
