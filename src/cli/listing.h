// Bridges, ports, hosts and tunnel zones as text: a table of at most 80 characters, a wide table, or JSON; one object or a list. The
// wide forms show every field of the model's table (model/field.h), so a new field needs no change here. Pure: from the API's JSON to
// text.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "cli/json.h"
#include "cli/text_table.h"

namespace midonet::cli {

enum class Format { table, wide, json };

struct Look {
  Format format = Format::table;
  bool colour = false;
  WallTime now{};     // ages are counted from here
  bool full = false;  // nothing is cut short

  // The greatest width of a table; 0: no limit.
  std::size_t width() const { return format == Format::table && !full ? terminal_width : 0; }
};

// The state of a port with its colour. `port` is the API's Port.
Cell state_cell(const Json& port);
std::string state_of(const Json& port);   // "unbound" when the API says nothing
std::string since_of(const Json& port);   // RFC 3339, or ""
std::string reason_of(const Json& port);  // or ""

// The name that a bridge or a host goes by, else its id. `all` is an array of them.
std::string name_in(const Json& all, const std::string& id);

// Sorted by name, then by id; ports by bridge, host and interface.
Json sorted_by_name(Json all);
Json sorted_ports(Json ports, const Json& bridges, const Json& hosts);

std::string bridge_list(const Json& bridges, const Look& look);
std::string host_list(const Json& hosts, const Look& look);
std::string port_list(const Json& ports, const Json& bridges, const Json& hosts, const Look& look);
std::string tunnel_zone_list(const Json& zones, const Look& look);
std::string tunnel_zone_host_list(const Json& members, const Json& hosts, const Look& look);
std::string interface_list(const Json& interfaces, const Look& look);

// One of them, a line for each field. `resource` is "Bridge", "Port", "Host" or "TunnelZone".
std::string details(std::string_view resource, const Json& entity, const Look& look);

// The JSON form of anything: indented, with a line break at the end.
std::string json_text(const Json& value);

}  // namespace midonet::cli
