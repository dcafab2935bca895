#include "cli/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "cli/age.h"
#include "cli/labels.h"

namespace midonet::cli {

namespace {

std::string name_of(const Json& all, const std::string& id) { return printable(name_in(all, id)); }

// "host cmp1 (3f25…)" where ids are wanted, too.
std::string titled(const char* noun, const std::string& name, const std::string& id, const Look& look) {
  if (look.format == Format::wide && name.find(id) == std::string::npos)
    return fmt::format("{} {} ({})", noun, printable(name), id);
  return fmt::format("{} {}", noun, printable(name));
}

std::string plural(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Json tree_json(const Json& hosts, const Json& bridges, const std::map<std::string, std::vector<const Json*>>& bound,
               const std::map<std::string, std::vector<const Json*>>& unbound) {
  std::map<std::string, std::string> bridge_names;
  for (const Json& bridge : bridges)
    bridge_names.emplace(text_of(bridge, "id"), name_in(Json::array({bridge}), text_of(bridge, "id")));
  const auto name_of_bridge = [&](const std::string& id) {
    const auto found = bridge_names.find(id);
    return found == bridge_names.end() ? id : found->second;
  };
  Json out{{"hosts", Json::array()}, {"bridges", Json::array()}};
  for (const Json& host : hosts) {
    Json entry{{"id", text_of(host, "id")},
               {"name", text_of(host, "name")},
               {"alive", flag_of(host, "alive")},
               {"ports", Json::array()}};
    const auto found = bound.find(text_of(host, "id"));
    for (const Json* port : found == bound.end() ? std::vector<const Json*>{} : found->second) {
      const std::string bridge = text_of(*port, "deviceId");
      entry["ports"].push_back({{"id", text_of(*port, "id")},
                                {"bridgeId", bridge},
                                {"bridge", name_of_bridge(bridge)},
                                {"interfaceName", text_of(*port, "interfaceName")},
                                {"mtu", member_of(*port, "mtu")},
                                {"status", member_of(*port, "status")}});
    }
    out["hosts"].push_back(std::move(entry));
  }
  for (const Json& bridge : bridges) {
    Json entry{{"id", text_of(bridge, "id")}, {"name", text_of(bridge, "name")}, {"unboundPorts", Json::array()}};
    const auto found = unbound.find(text_of(bridge, "id"));
    for (const Json* port : found == unbound.end() ? std::vector<const Json*>{} : found->second)
      entry["unboundPorts"].push_back(text_of(*port, "id"));
    out["bridges"].push_back(std::move(entry));
  }
  return out;
}

}  // namespace

namespace {

std::string who(const Json& agent, const Json& hosts) {
  const std::string id = text_of(agent, "hostId");
  const std::string name = name_of(hosts, id);
  std::string line = name == id ? id : fmt::format("{} ({})", name, id);
  if (const std::string version = text_of(agent, "version"); !version.empty()) line += ", version " + version;
  if (const Json& pid = member_of(agent, "pid"); pid.is_number_integer()) line += ", pid " + pid.dump();
  if (const Json& synchronised = member_of(agent, "synchronised"); synchronised == false)
    line += ", not synchronised yet";
  return printable(line);
}

Cell store_cell(const Json& agent, const Look& look) {
  const bool answers = text_of(agent, "storeState") == "connected";
  std::string line = printable(text_of(agent, "store")) + (answers ? " answers" : " does not answer");
  if (const std::string since = text_of(agent, "storeSince"); !since.empty())
    line += ", since " + printable(look.format == Format::wide ? since : age(since, look.now));
  return Cell(line, answers ? Tint::none : Tint::bad);
}

std::string number_of(const Json& object, const char* key) {
  const Json& value = member_of(object, key);
  return value.is_number_integer() ? value.dump() : "?";
}

// `tunnel` is an object.
Cell tunnel_cell(const Json& tunnel) {
  const std::string state = text_of(tunnel, "state");
  const std::string link = text_of(tunnel, "link");
  std::string line = fmt::format("{} {}, from {}", text_of(tunnel, "device"), state, text_of(tunnel, "vtep"));
  line += link.empty() ? ", which no interface of this host has"
                       : fmt::format(" on {} (mtu {})", link, number_of(tunnel, "linkMtu"));
  line += fmt::format(", UDP port {}, mtu {} inside", number_of(tunnel, "udpPort"), number_of(tunnel, "mtu"));
  if (const std::string error = text_of(tunnel, "error"); !error.empty()) line += ": " + error;
  return Cell(printable(line), state == "active" && !link.empty() ? Tint::none : Tint::bad);
}

// Empty when there are none.
std::string closed_taps(const Json& agent) {
  constexpr std::size_t most = 10;
  const Json& taps = member_of(agent, "closedTaps");
  if (!taps.is_array()) return {};
  std::string line;
  for (std::size_t i = 0; i < std::min(most, taps.size()); ++i) {
    const std::string name = text_of(taps[i], "interfaceName");
    line += (i == 0 ? "" : ", ") + printable(name.empty() ? "interface " + number_of(taps[i], "ifindex") : name);
  }
  if (taps.size() > most) line += fmt::format(" and {} more", taps.size() - most);
  return line;
}

std::string counted(const Json& object, const char* key, const char* noun) {
  const Json& value = member_of(object, key);
  return value.is_number_integer() && value >= 0 ? plural(value.get<std::size_t>(), noun) : "";
}

}  // namespace

std::vector<Row> agent_rows(const Json& agent, const Json& hosts, const Look& look) {
  std::vector<Row> rows{{"agent here", Cell(who(agent, hosts))}};
  if (!text_of(agent, "store").empty()) rows.push_back({"store", store_cell(agent, look)});
  if (const std::string closed = closed_taps(agent); !closed.empty()) rows.push_back({"closed taps", Cell(closed)});
  if (!agent.is_object() || !agent.contains("tunnel")) return rows;
  const Json& tunnel = agent["tunnel"];
  rows.push_back({"tunnel", tunnel.is_object()
                                ? tunnel_cell(tunnel)
                                : Cell("none: this host is in no tunnel zone (with an address that it may use)")});
  return rows;
}

std::string served_bridges(const Json& agent, const Json& hosts, const Json& bridges, const Look& look) {
  const Json& served = member_of(agent, "bridges");
  if (!served.is_array() || served.empty()) return {};
  constexpr std::size_t most = 20;
  const Labels bridge_labels(bridges, look), host_labels(hosts, look);
  std::vector<Row> rows;
  std::size_t left_out = 0;
  const auto add = [&](Row row) {
    rows.size() < most || look.format == Format::wide ? rows.push_back(std::move(row)) : void(++left_out);
  };
  for (const Json& bridge : served) {
    const Cell name("  " + bridge_labels(text_of(bridge, "bridgeId")));
    const Cell vni("vni " + number_of(bridge, "vni"));
    const Json& peers = member_of(bridge, "peers");
    if (!peers.is_array() || peers.empty()) {
      add({name, vni, Cell("no other host")});
      continue;
    }
    for (const Json& peer : peers) {
      const std::string address = text_of(peer, "address");
      add({name, vni, Cell("to " + host_labels(text_of(peer, "hostId"))),
           address.empty() ? Cell("no usable address", Tint::bad) : Cell(address), Cell(counted(peer, "ports", "port")),
           Cell(counted(peer, "macs", "MAC"))});
    }
  }
  std::string out = "bridges served here:\n" + text_table({}, rows, look.colour, look.width());
  if (left_out > 0) out += fmt::format("  and {} more: `midonet -o wide status`\n", left_out);
  return out;
}

std::string tree(const Json& hosts, const Json& bridges, const Json& ports, const Look& look) {
  std::map<std::string, std::vector<const Json*>> bound;    // host id -> ports
  std::map<std::string, std::vector<const Json*>> unbound;  // bridge id -> ports
  for (const Json& port : ports) {
    const std::string host = text_of(port, "hostId");
    (host.empty() ? unbound[text_of(port, "deviceId")] : bound[host]).push_back(&port);
  }
  if (look.format == Format::json) return json_text(tree_json(hosts, bridges, bound, unbound));

  // All ports make one table, so that columns stand below each other; its lines are then put below their titles.
  const Labels bridge_labels(bridges, look), host_labels(hosts, look);
  const ShortIds port_ids(ports, look);
  const auto has_mtu = [](const Json& port) { return member_of(port, "mtu").is_number_integer(); };
  const bool any_mtu = std::any_of(ports.begin(), ports.end(), has_mtu);
  struct Branch {
    std::string title;
    std::size_t rows;
  };
  std::vector<Branch> branches;
  std::vector<Row> rows;
  const auto port_row = [&](const Json& port) {
    Row row{Cell("  port " + port_ids(text_of(port, "id")))};
    if (!text_of(port, "hostId").empty()) {
      const std::string bridge = text_of(port, "deviceId");
      row.push_back("on " + bridge_labels(bridge));
      row.push_back(text_of(port, "interfaceName"));
      row.push_back(state_cell(port));
      const std::string since = since_of(port);
      row.push_back(look.format == Format::wide ? since : age(since, look.now));
      if (any_mtu) row.push_back(has_mtu(port) ? "mtu " + member_of(port, "mtu").dump() : std::string());
      if (look.width() > 0)
        row.note = reason_of(port);
      else if (!reason_of(port).empty())
        row.push_back(reason_of(port));
    }
    rows.push_back(std::move(row));
  };
  for (const Json& host : hosts) {
    const std::string id = text_of(host, "id");
    const auto found = bound.find(id);
    const std::size_t count = found == bound.end() ? 0 : found->second.size();
    const Cell state = flag_of(host, "alive") ? Cell("alive", Tint::good) : Cell("down", Tint::bad);
    branches.push_back({fmt::format("{}  {}{}", titled("host", host_labels(id), id, look), tinted(state, look.colour),
                                    count == 0 ? "  no ports" : ""),
                        count});
    if (count == 0) continue;
    for (const Json* port : found->second) port_row(*port);
    bound.erase(found);
  }
  // Bound to a host that was deleted between the two answers.
  for (const auto& [host, list] : bound) {
    branches.push_back({titled("host", host_labels(host), host, look) + "  unknown", list.size()});
    for (const Json* port : list) port_row(*port);
  }
  for (const Json& bridge : bridges) {
    const std::string id = text_of(bridge, "id");
    const auto found = unbound.find(id);
    if (found == unbound.end()) continue;
    branches.push_back({fmt::format("{}  {}", titled("bridge", bridge_labels(id), id, look),
                                    plural(found->second.size(), "unbound port")),
                        found->second.size()});
    for (const Json* port : found->second) port_row(*port);
  }
  if (branches.empty())
    return "nothing here yet: `midonet bridge create NAME` makes a bridge, and a host appears when its agent starts\n";

  // A table's lines are counted with the notes below them.
  const std::string table = text_table({}, rows, look.colour, look.width());
  std::string_view lines = table;
  const auto take_line = [&lines] {
    const std::string_view line = lines.substr(0, lines.find('\n') + 1);
    lines.remove_prefix(line.size());
    return line;
  };
  std::string out;
  for (const Branch& branch : branches) {
    out += branch.title + '\n';
    for (std::size_t i = 0; i < branch.rows; ++i) {
      out += take_line();
      while (lines.starts_with("    ")) out += take_line();
    }
  }
  return out;
}

}  // namespace midonet::cli
