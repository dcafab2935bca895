// Where a port was bound before it was taken over: keys of its record beside those of the table (port.h), so that they are not
// seen over REST. Written by attach and detach (topology/attach.h); the agents of both hosts read them, to know that a guest
// may still run where the port was (ADR 9). They stay until the port is unbound, given back or taken over anew.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.h"

namespace midonet::model {

struct TakenFrom {
  Uuid host_id;                // "takenFromHost"
  std::string interface_name;  // "takenFromInterface"
  bool operator==(const TakenFrom&) const = default;
};

// Of a port's record; nothing also where the keys are damaged.
std::optional<TakenFrom> taken_from(std::string_view record);
// The record with these keys and no others of theirs.
std::string with_taken_from(std::string record, const std::optional<TakenFrom>& from);

}  // namespace midonet::model
