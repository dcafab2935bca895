#include "model/bridge_tables.h"

namespace midonet::model {

template <>
const Table& table<MacEntry>() {
  static const Table entry{"MacEntry",
                           0,
                           "Behind which port a MAC address is, set by hand.",
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

}  // namespace midonet::model
