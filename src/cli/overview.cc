#include "cli/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "cli/age.h"

namespace midonet::cli {

namespace {

using Names = std::map<std::string, std::string>;

// id -> name; the id itself for what has no name.
Names names_of(const Json& all) {
  Names names;
  for (const Json& one : all) {
    const std::string id = text_of(one, "id");
    const std::string name = text_of(one, "name");
    names.emplace(id, name.empty() ? id : name);
  }
  return names;
}
std::string name_of(const Names& names, const std::string& id) {
  const auto found = names.find(id);
  return found == names.end() ? id : found->second;
}

// "host cmp1 (3f25…)" where ids are wanted too.
std::string titled(const char* noun, const std::string& name, const std::string& id, const Look& look) {
  if (look.format == Format::wide && name != id) return fmt::format("{} {} ({})", noun, printable(name), id);
  return fmt::format("{} {}", noun, printable(name));
}

std::string plural(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Json tree_json(const Json& hosts, const Json& bridges, const std::map<std::string, std::vector<const Json*>>& bound,
               const std::map<std::string, std::vector<const Json*>>& unbound) {
  const Names bridge_names = names_of(bridges);
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
                                {"bridge", name_of(bridge_names, bridge)},
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
  const std::string name = name_in(hosts, id);
  std::string line = name == id ? id : fmt::format("{} ({})", printable(name), id);
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

std::string counted(const Json& object, const char* key, const char* noun) {
  const Json& value = member_of(object, key);
  return value.is_number_integer() && value >= 0 ? plural(value.get<std::size_t>(), noun) : "";
}

}  // namespace

std::vector<Row> agent_rows(const Json& agent, const Json& hosts, const Look& look) {
  std::vector<Row> rows{{"agent here", Cell(who(agent, hosts))}};
  if (!text_of(agent, "store").empty()) rows.push_back({"store", store_cell(agent, look)});
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
  const Names bridge_names = names_of(bridges), host_names = names_of(hosts);
  std::vector<Row> rows;
  std::size_t left_out = 0;
  const auto add = [&](Row row) {
    rows.size() < most || look.format == Format::wide ? rows.push_back(std::move(row)) : void(++left_out);
  };
  for (const Json& bridge : served) {
    const Cell name("  " + name_of(bridge_names, text_of(bridge, "bridgeId")));
    const Cell vni("vni " + number_of(bridge, "vni"));
    const Json& peers = member_of(bridge, "peers");
    if (!peers.is_array() || peers.empty()) {
      add({name, vni, Cell("no other host")});
      continue;
    }
    for (const Json& peer : peers) {
      const std::string address = text_of(peer, "address");
      add({name, vni, Cell("to " + name_of(host_names, text_of(peer, "hostId"))),
           address.empty() ? Cell("no usable address", Tint::bad) : Cell(address), Cell(counted(peer, "ports", "port")),
           Cell(counted(peer, "macs", "MAC"))});
    }
  }
  std::string out = "bridges served here:\n" + text_table({}, rows, look.colour);
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
  const Names bridge_names = names_of(bridges);
  const auto has_mtu = [](const Json& port) { return member_of(port, "mtu").is_number_integer(); };
  const bool any_mtu = std::any_of(ports.begin(), ports.end(), has_mtu);
  struct Branch {
    std::string title;
    std::size_t rows;
  };
  std::vector<Branch> branches;
  std::vector<Row> rows;
  const auto port_row = [&](const Json& port) {
    Row row{Cell("  port " + text_of(port, "id"))};
    if (!text_of(port, "hostId").empty()) {
      const std::string bridge = text_of(port, "deviceId");
      row.push_back("on " + name_of(bridge_names, bridge));
      row.push_back(text_of(port, "interfaceName"));
      row.push_back(state_cell(port));
      const std::string since = since_of(port);
      row.push_back(look.format == Format::wide ? since : age(since, look.now));
      if (any_mtu) row.push_back(has_mtu(port) ? "mtu " + member_of(port, "mtu").dump() : std::string());
      if (!reason_of(port).empty()) row.push_back(reason_of(port));
    }
    rows.push_back(std::move(row));
  };
  for (const Json& host : hosts) {
    const std::string id = text_of(host, "id");
    const auto found = bound.find(id);
    const std::size_t count = found == bound.end() ? 0 : found->second.size();
    const Cell state = flag_of(host, "alive") ? Cell("alive", Tint::good) : Cell("down", Tint::bad);
    branches.push_back({fmt::format("{}  {}{}", titled("host", name_in(Json::array({host}), id), id, look),
                                    tinted(state, look.colour), count == 0 ? "  no ports" : ""),
                        count});
    if (count == 0) continue;
    for (const Json* port : found->second) port_row(*port);
    bound.erase(found);
  }
  // Bound to a host that was deleted between the two answers.
  for (const auto& [host, list] : bound) {
    branches.push_back({titled("host", host, host, look) + "  unknown", list.size()});
    for (const Json* port : list) port_row(*port);
  }
  for (const Json& bridge : bridges) {
    const std::string id = text_of(bridge, "id");
    const auto found = unbound.find(id);
    if (found == unbound.end()) continue;
    branches.push_back({fmt::format("{}  {}", titled("bridge", name_of(bridge_names, id), id, look),
                                    plural(found->second.size(), "unbound port")),
                        found->second.size()});
    for (const Json* port : found->second) port_row(*port);
  }
  if (branches.empty())
    return "nothing here yet: `midonet bridge create NAME` makes a bridge, and a host appears when its agent starts\n";

  const std::string table = text_table({}, rows, look.colour);
  std::string_view lines = table;
  std::string out;
  for (const Branch& branch : branches) {
    out += branch.title + '\n';
    for (std::size_t i = 0; i < branch.rows; ++i) {
      const std::size_t end = lines.find('\n') + 1;
      out += lines.substr(0, end);
      lines.remove_prefix(end);
    }
  }
  return out;
}

std::string health(const Health& health, const Json& hosts, const Json& bridges, const Json& ports, const Look& look) {
  std::vector<std::string> down;
  std::size_t alive = 0;
  for (const Json& host : hosts) {
    if (flag_of(host, "alive"))
      ++alive;
    else
      down.push_back(name_in(Json::array({host}), text_of(host, "id")));
  }
  std::map<std::string, std::size_t> states;
  std::vector<const Json*> unwell;
  for (const Json& port : ports) {
    const std::string state = state_of(port);
    ++states[state];
    if (state != "active" && state != "unbound") unwell.push_back(&port);
  }
  if (look.format == Format::json) {
    Json out{{"api", {{"url", health.api_url}, {"version", health.api_version}, {"state", health.api_state}}},
             {"hosts", {{"alive", alive}, {"down", down}}},
             {"bridges", bridges.size()},
             {"ports", states},
             {"agent", health.agent != nullptr ? *health.agent : Json()}};
    return json_text(out);
  }

  std::string down_text;
  if (!down.empty()) {
    down_text = fmt::format(", {} down:", down.size());
    constexpr std::size_t most = 8;
    for (std::size_t i = 0; i < std::min(most, down.size()); ++i) down_text += " " + printable(down[i]);
    if (down.size() > most) down_text += " …";
  }
  std::string ports_text = std::to_string(ports.size());
  for (const auto& [state, count] : states)
    ports_text += fmt::format("{}{} {}", &states.begin()->first == &state ? ": " : ", ", count, state);
  std::vector<Row> rows{
      {"API", Cell(fmt::format("{} at {}, {}", health.api_version, health.api_url, health.api_state))},
      {"hosts", Cell(fmt::format("{} alive{}", alive, down_text), down.empty() ? Tint::none : Tint::bad)},
      {"bridges", Cell(std::to_string(bridges.size()))},
      {"ports", Cell(ports_text)}};
  if (health.agent == nullptr) rows.push_back({"agent here", Cell(health.agent_silence)});
  const std::vector<Row> more = health.agent == nullptr ? std::vector<Row>() : agent_rows(*health.agent, hosts, look);
  rows.insert(rows.end(), more.begin(), more.end());
  std::string out = text_table({}, rows, look.colour);
  if (health.agent != nullptr) out += served_bridges(*health.agent, hosts, bridges, look);
  if (unwell.empty()) return out;

  const Names bridge_names = names_of(bridges);
  const Names host_names = names_of(hosts);
  constexpr std::size_t most = 20;
  std::vector<Row> list;
  for (const Json* port : unwell) {
    if (list.size() == most) break;
    list.push_back(
        {Cell("  port " + text_of(*port, "id")), Cell("on " + name_of(bridge_names, text_of(*port, "deviceId"))),
         Cell(name_of(host_names, text_of(*port, "hostId"))), Cell(text_of(*port, "interfaceName")), state_cell(*port),
         Cell(look.format == Format::wide ? since_of(*port) : age(since_of(*port), look.now))});
    if (!reason_of(*port).empty()) list.back().push_back(reason_of(*port));
  }
  out += "not active:\n" + text_table({}, list, look.colour);
  if (unwell.size() > most) out += fmt::format("  and {} more: `midonet port list`\n", unwell.size() - most);
  return out;
}

}  // namespace midonet::cli
