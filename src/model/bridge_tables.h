// Static entries of a bridge's tables: records at /bridges/<b>/mac_table/<mac> and /bridges/<b>/arp_table/<ip>. The key
// stands in the path.
#pragma once

#include "base/mac.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

struct MacEntry {
  Uuid port_id;
  bool operator==(const MacEntry&) const = default;
};

struct ArpEntry {
  Mac mac;
  bool operator==(const ArpEntry&) const = default;
};

}  // namespace midonet::model
