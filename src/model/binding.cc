#include "model/binding.h"

#include <array>
#include <cstdlib>

#include "base/interface_name.h"

namespace midonet::model {

namespace {
constexpr std::array<std::pair<PortState, std::string_view>, 6> states{{
    {PortState::unbound, "unbound"},
    {PortState::pending_host, "pending-host"},
    {PortState::pending_interface, "pending-interface"},
    {PortState::down, "down"},
    {PortState::active, "active"},
    {PortState::error, "error"},
}};

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  names.reserve(states.size());
  for (const auto& [state, text] : states) names.emplace_back(text);
  return names;
}
}  // namespace

std::string_view name(PortState state) {
  for (const auto& [known, text] : states)
    if (known == state) return text;
  std::abort();
}

Result<PortState> parse_port_state(std::string_view text) {
  for (const auto& [state, known] : states)
    if (known == text) return state;
  return fail(Code::invalid, "'{}' is not the state of a port", text.substr(0, 64));
}

template <>
const Table& table<Binding>() {
  static const Table binding{
      "HostInterfacePort",
      1,
      "A binding: this port is that interface of this host.",
      {
          link("uri", "/hosts/{hostId}/ports/{portId}", "This binding."),
          derived("hostId", Kind::uuid, "The host.").refers_to("Host"),
          field("portId", &Binding::port_id, Use::required, "The port.").refers_to("Port"),
          field("interfaceName", &Binding::interface_name, Use::required, "The interface; it need not exist yet.")
              .checked_by(check_interface_name),
          link("host", "/hosts/{hostId}", "The host."),
          link("port", "/ports/{portId}", "The port."),
          derived("status", Kind::object, "Its state.").of("PortStatus"),
      }};
  return binding;
}

template <>
const Table& table<BoundInterface>() {
  static const Table bound{"BoundInterface",
                           0,
                           "Which port an interface of a host carries.",
                           {field("portId", &BoundInterface::port_id, Use::required, "The port.").refers_to("Port")}};
  return bound;
}

template <>
const Table& table<PortStatus>() {
  static const Table status{
      "PortStatus",
      0,
      "The state of a binding, as its host's agent reports it.",
      {
          field("state", &PortStatus::state, Use::read_only,
                "How far the binding has come; active: the agent has read back from the kernel that the port forwards.")
              .one_of(state_names()),
          field("reason", &PortStatus::reason, Use::read_only, "Why the state is so, or a warning; may be empty."),
          field("revision", &PortStatus::revision, Use::read_only,
                "The revision of the binding that this is about; 0: no binding."),
          field("ifindex", &PortStatus::ifindex, Use::read_only, "The interface's index on its host; 0: no interface."),
          field("since", &PortStatus::since, Use::read_only, "When this state began, if that is known.")
              .null_when_empty(),
          field("mtu", &PortStatus::mtu, Use::read_only,
                "The largest IP packet that the overlay carries from this host; null: the host is in no tunnel zone.")
              .null_when_empty(),
      }};
  return status;
}

template <>
const Table& table<AttachInterface>() {
  static const Table attach{
      "AttachInterface",
      1,
      "A request to bind a port to an interface of a host.",
      {
          field("hostId", &AttachInterface::host_id, Use::required, "The host.").refers_to("Host"),
          field("interface", &AttachInterface::interface_name, Use::required, "The interface; it need not exist yet.")
              .checked_by(check_interface_name),
          field("previousHostId", &AttachInterface::previous_host_id, Use::optional,
                "Moves the port from this host; a conflict if it is not bound there.")
              .refers_to("Host"),
      }};
  return attach;
}

}  // namespace midonet::model
