// Port security: what the guest of a port may send from. Pure.
#pragma once

#include <optional>

#include "datapath/datapath.h"
#include "model/port.h"

namespace midonet::agent {

// Its macAddress with each of its fixedIps, and its allowedAddressPairs; a pair without a MAC address has the port's. Nothing
// unless portSecurityEnabled is true.
std::optional<datapath::Guard> guard_of(const model::Port& port);

}  // namespace midonet::agent
