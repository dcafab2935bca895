// «This virtual port is that interface on this host», and its status. Records at /hosts/<h>/ports/<p> (durable) and
// /hosts/<h>/status/<p> (ephemeral, written by the host's agent).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

struct Binding {
  Uuid port_id;
  std::string interface_name;
  bool operator==(const Binding&) const = default;
};

// /hosts/<h>/bound_interfaces/<name>
struct BoundInterface {
  Uuid port_id;
  bool operator==(const BoundInterface&) const = default;
};

// The body of a POST to a port's attach_interface.
struct AttachInterface {
  Uuid host_id;
  std::string interface_name;
  std::optional<Uuid> previous_host_id;
};

enum class PortState {
  unbound,            // no binding
  pending_host,       // bound; the host has no live agent
  pending_interface,  // the interface does not exist there yet
  down,               // it exists, without link
  active,             // read back from the kernel as complete
  error,              // see the reason
};

std::string_view name(PortState state);  // "pending-host"
Result<PortState> parse_port_state(std::string_view text);

// The agent's report of a bound port. pending_host and unbound are never reported: they are the absence of a report.
struct PortStatus {
  PortState state = PortState::unbound;
  std::string reason;         // "" if there is none
  std::int64_t revision = 0;  // of the binding that this is about; a status of an older revision is stale
  std::int64_t ifindex = 0;   // 0: no interface
  std::string since;          // RFC 3339: when this state began
  std::int64_t mtu = 0;       // the largest IP packet that fits through the host's tunnel; 0: the host has none
  bool operator==(const PortStatus&) const = default;
};

template <>
const Table& table<Binding>();
template <>
const Table& table<BoundInterface>();
template <>
const Table& table<PortStatus>();

template <>
const Table& table<AttachInterface>();

}  // namespace midonet::model
