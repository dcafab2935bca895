// The VNI of a port's bridge, which a bridge has for good: a copy in the port's record, a key beside those of the table
// (port.h), so that it is not seen over REST. Written when the port is made, if its bridge is up then; who hears of a port's
// binding needs not read the bridge before frames get to the port (ADR 12).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/vni.h"

namespace midonet::model {

// Of a port's record; nothing also where the key is damaged.
std::optional<Vni> port_vni(std::string_view record);
// The record with this key.
std::string with_port_vni(const std::string& record, Vni vni);

}  // namespace midonet::model
