// The verbs of the operator's command, each a function from the typed words to the printed text. Blocking; they talk to the REST API,
// and to the socket of this host's agent. Flags are the program's (programs/midonet.cc).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "cli/api.h"
#include "cli/listing.h"

namespace midonet::cli {

namespace midonet_exit {
inline constexpr int success = 0;
inline constexpr int usage = 1;   // wrong usage, a bad value, or a name that fits several objects
inline constexpr int unwell = 1;  // of status: something is wrong
inline constexpr int not_found = 2;
inline constexpr int refused = 3;      // the present state or the caller's rights do not allow it
inline constexpr int unreachable = 4;  // the API, or its store, does not answer
inline constexpr int not_yet = 5;      // attached, and --wait is over before the port is active
inline constexpr int port_error = 6;   // attached, and the host's agent reports an error
inline constexpr int defect = 7;       // the API failed, or its answer cannot be understood
}  // namespace midonet_exit

struct Failure {
  int exit_status;
  std::string message;   // one line, without a line break
  std::string output{};  // for stdout all the same
};
Failure failure(const Error& error);

// What goes to stdout.
using Outcome = tl::expected<std::string, Failure>;

struct Session {
  Api api;
  Look look;
  std::string socket;  // the local agent's
};

// With `wait`, asked again until all is well or the time is over.
Outcome status(const Session& session, std::optional<std::chrono::milliseconds> wait = {});
Outcome show(const Session& session);

// `noun` is "bridge", "port", "host" or "tunnel-zone". An object is named by name, id or the beginning of an id; a port also by MAC
// address or interface name.
Outcome list(const Session& session, const std::string& noun, const std::optional<std::string>& bridge_or_tenant);
Outcome show_one(const Session& session, const std::string& noun, const std::string& which);
// A bridge with bound ports and a tunnel zone with hosts are refused, with their number, unless `with_contents`.
Outcome remove(const Session& session, const std::string& noun, const std::vector<std::string>& which,
               bool with_contents = false);

struct NewBridge {
  std::string name, tenant, id;  // empty: not given
};
Outcome create_bridge(const Session& session, const NewBridge& bridge);
struct NewPort {
  std::string bridge, mac, id;
};
Outcome create_port(const Session& session, const NewPort& port);

struct NewTunnelZone {
  std::string name, id;
};
Outcome create_tunnel_zone(const Session& session, const NewTunnelZone& zone);
struct ZoneMember {
  std::string zone, host, address;
};
Outcome add_to_tunnel_zone(const Session& session, const ZoneMember& member);
Outcome remove_from_tunnel_zone(const Session& session, const ZoneMember& member);  // no address

struct Attach {
  std::string port, host, interface;
  std::optional<std::string> move_from;           // a host
  std::optional<std::chrono::milliseconds> wait;  // until the port is active
};
Outcome attach(const Session& session, const Attach& attach);
Outcome detach(const Session& session, const std::string& port);

// The possible values of an argument that is a bridge, a port, a host, a tunnel zone or an interface (of `host`): for completion by a
// shell.
std::vector<std::string> choices(const Session& session, const std::string& noun, const std::string& host);

}  // namespace midonet::cli
