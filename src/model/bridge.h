// A bridge: one virtual layer-2 network. Record at /bridges/<id>.
#pragma once

#include <optional>
#include <string>

#include "base/uuid.h"
#include "base/vni.h"
#include "model/record.h"

namespace midonet::model {

struct Bridge {
  Uuid id;
  std::string tenant_id;
  std::string name;  // 0 to 255 characters
  bool admin_state_up = true;
  std::optional<Uuid> inbound_filter_id;
  std::optional<Uuid> outbound_filter_id;
  std::optional<Vni> vni;  // given by the server at creation, for good
  bool operator==(const Bridge&) const = default;
};

template <>
const Table& table<Bridge>();

}  // namespace midonet::model
