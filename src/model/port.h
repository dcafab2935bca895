// An exterior port of a bridge. Record at /ports/<id>. hostId and interfaceName say where it is bound; they
// change only with the binding at /hosts/<hostId>/ports/<id>, in one commit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/mac.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

struct Port {
  Uuid id;
  Uuid bridge_id;  // "bridgeId" in the record, "deviceId" over REST
  bool admin_state_up = true;
  std::optional<Mac> mac_address;
  std::optional<Uuid> host_id;
  std::optional<std::string> interface_name;
  std::optional<Uuid> vif_id;
  std::optional<std::int64_t> vlan_id;
  std::optional<std::int64_t> tunnel_key;
  std::optional<Uuid> inbound_filter_id;
  std::optional<Uuid> outbound_filter_id;
  bool operator==(const Port&) const = default;
};

template <>
const Table& table<Port>();

}  // namespace midonet::model
