// Hosts that tunnel to each other, and the address of each. Records at /tunnel_zones/<z> and /tunnel_zones/<z>/hosts/<h>. A host in no
// zone takes no part in the overlay.
#pragma once

#include <string>

#include "base/ip.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

struct TunnelZone {
  Uuid id;
  std::string name;            // 1 to 255 characters, unique
  std::string type = "vxlan";  // the only one
  bool operator==(const TunnelZone&) const = default;
};

struct TunnelZoneHost {
  Uuid host_id;   // stands in the path
  Ip ip_address;  // the host's tunnel end point in this zone, IPv4 or IPv6
  bool operator==(const TunnelZoneHost&) const = default;
};

// /tunnel_zones/<z>/addresses/<ip>
struct ZoneAddress {
  Uuid host_id;
  bool operator==(const ZoneAddress&) const = default;
};

template <>
const Table& table<TunnelZone>();
template <>
const Table& table<TunnelZoneHost>();
template <>
const Table& table<ZoneAddress>();

}  // namespace midonet::model
