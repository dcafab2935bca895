// `midonet status`: whether all is well, and if not, what is not.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "cli/age.h"
#include "cli/labels.h"
#include "cli/overview.h"

namespace midonet::cli {

namespace {

constexpr std::size_t most = 20;  // lines of one kind

// The ids of the hosts on which each bridge has ports.
std::map<std::string, std::set<std::string>> hosts_of_bridges(const Json& ports) {
  std::map<std::string, std::set<std::string>> out;
  for (const Json& port : ports) {
    if (const std::string host = text_of(port, "hostId"); !host.empty()) out[text_of(port, "deviceId")].insert(host);
  }
  return out;
}

// Bridges whose hosts do not reach each other, since they share no tunnel zone: a sentence for each host or pair, told once.
std::vector<std::string> zone_problems(const Json& zones, const Json& ports, const Labels& hosts,
                                       const Labels& bridges) {
  std::map<std::string, std::set<std::string>> zones_of;
  for (const Json& zone : zones) {
    for (const Json& host : member_of(zone, "hosts")) {
      if (host.is_string()) zones_of[host.get<std::string>()].insert(text_of(zone, "id"));
    }
  }
  std::set<std::string> alone;
  std::map<std::pair<std::string, std::string>, std::string> apart;  // -> a bridge that both serve
  for (const auto& [bridge, on] : hosts_of_bridges(ports)) {
    if (on.size() < 2) continue;
    for (auto a = on.begin(); a != on.end(); ++a) {
      const std::set<std::string>& mine = zones_of[*a];
      if (mine.empty()) alone.insert(*a);
      for (auto b = std::next(a); b != on.end() && !mine.empty(); ++b) {
        const std::set<std::string>& others = zones_of[*b];
        const bool share =
            std::any_of(mine.begin(), mine.end(), [&](const auto& zone) { return others.contains(zone); });
        if (!others.empty() && !share) apart.try_emplace({*a, *b}, bridge);
      }
    }
  }
  std::vector<std::string> out;
  for (const std::string& host : alone)
    out.push_back(fmt::format("host {} is in no tunnel zone: its ports reach those of no other host", hosts(host)));
  for (const auto& [pair, bridge] : apart)
    out.push_back(fmt::format("hosts {} and {} share no tunnel zone: their ports on {} do not reach each other",
                              hosts(pair.first), hosts(pair.second), bridges(bridge)));
  return out;
}

// What the agent of this host says of itself that is not well.
std::vector<std::string> agent_problems(const Json& agent) {
  std::vector<std::string> out;
  if (!agent.is_object()) return out;
  if (const std::string state = text_of(agent, "storeState"); !state.empty() && state != "connected")
    out.push_back("its store does not answer");
  if (const Json& tunnel = member_of(agent, "tunnel"); tunnel.is_object()) {
    if (text_of(tunnel, "state") != "active") out.push_back("its tunnel is not complete: " + text_of(tunnel, "error"));
    if (text_of(tunnel, "link").empty())
      out.push_back("no interface has its tunnel address " + text_of(tunnel, "vtep"));
  }
  if (const Json& warnings = member_of(agent, "warnings"); warnings.is_array()) {
    for (const Json& warning : warnings) {
      if (warning.is_string()) out.push_back(warning.get<std::string>());
    }
  }
  return out;
}

std::string plural(std::size_t count, const char* one, const char* more) {
  return fmt::format("{} {}", count, count == 1 ? one : more);
}

std::string sentences(const char* heading, const std::vector<std::string>& all, const Look& look) {
  if (all.empty()) return {};
  std::string out = heading;
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) out += wrapped(printable(all[i]), 2, look.width());
  if (all.size() > most) out += fmt::format("  and {} more\n", all.size() - most);
  return out;
}

class Report {
 public:
  Report(const Health& health, const Json& hosts, const Json& bridges, const Json& ports, const Look& look)
      : health_(health), hosts_(hosts), bridges_(bridges), ports_(ports), look_(look) {
    for (const Json& host : hosts) {
      if (flag_of(host, "alive"))
        ++alive_;
      else
        down_.push_back(host_labels_(text_of(host, "id")));
    }
    for (const Json& port : ports) {
      const std::string state = state_of(port);
      ++states_[state];
      if (state == "active" && !reason_of(port).empty()) warnings_[reason_of(port)].push_back(&port);
      if (state != "active" && state != "unbound") not_active_.push_back(&port);
      if (flag_of(port, "portSecurityEnabled")) ++secured_;
      if (state == "error") ++errors_;
      if (state == "pending-host") ++pending_;
    }
    // What is wrong comes before what waits for a guest.
    std::stable_partition(not_active_.begin(), not_active_.end(), [](const Json* port) {
      return state_of(*port) == "error" || state_of(*port) == "pending-host";
    });
    if (health.zones) zone_problems_ = zone_problems(*health.zones, ports, host_labels_, bridge_labels_);
    if (health.agent) agent_problems_ = agent_problems(*health.agent);
  }

  std::string unwell() const {
    std::size_t warned = 0;
    for (const auto& [reason, list] : warnings_) warned += list.size();
    std::string out;
    const auto add = [&out](std::size_t count, const char* one, const char* more) {
      if (count > 0) out += (out.empty() ? "" : ", ") + plural(count, one, more);
    };
    if (health_.api_state != "ACTIVE READWRITE") out = "the API is " + health_.api_state;
    add(down_.size(), "host down", "hosts down");
    add(errors_, "port in error", "ports in error");
    add(pending_, "port without an agent's word", "ports without an agent's word");
    add(warned, "port with a warning", "ports with a warning");
    add(zone_problems_.size(), "tunnel zone to look at", "tunnel zones to look at");
    add(agent_problems_.size(), "warning of the agent here", "warnings of the agent here");
    return out;
  }

  std::string json() const {
    Json problems = zone_problems_;
    for (const std::string& each : agent_problems_) problems.push_back("the agent here: " + each);
    Json warned = Json::object();
    for (const auto& [reason, list] : warnings_) {
      for (const Json* port : list) warned[reason].push_back(text_of(*port, "id"));
    }
    return json_text(
        {{"api", {{"url", health_.api_url}, {"version", health_.api_version}, {"state", health_.api_state}}},
         {"hosts", {{"alive", alive_}, {"down", down_}}},
         {"bridges", bridges_.size()},
         {"ports", states_},
         {"portSecurity", {{"secured", secured_}, {"open", ports_.size() - secured_}}},
         {"agent", health_.agent ? *health_.agent : Json()},
         {"problems", problems},
         {"warnings", warned},
         {"well", unwell().empty()}});
  }

  std::string text() const {
    std::string down_text;
    if (!down_.empty()) {
      down_text = fmt::format(", {} down:", down_.size());
      for (std::size_t i = 0; i < std::min(most, down_.size()); ++i)
        down_text += (i == 0 ? " " : ", ") + printable(down_[i]);
      if (down_.size() > most) down_text += ", …";
    }
    std::string ports_text = std::to_string(ports_.size());
    for (const auto& [state, count] : states_)
      ports_text += fmt::format("{}{} {}", &states_.begin()->first == &state ? ": " : ", ", count, state);
    std::vector<Row> rows{
        {"API", Cell(fmt::format("{} at {}, {}", health_.api_version, health_.api_url, health_.api_state))},
        {"hosts", Cell(fmt::format("{} alive{}", alive_, down_text), down_.empty() ? Tint::none : Tint::bad)},
        {"bridges", Cell(std::to_string(bridges_.size()))},
        {"ports", Cell(ports_text)}};
    if (secured_ > 0)
      rows.push_back({"secured", Cell(fmt::format("{}; {} open: their guests may send from any address",
                                                  plural(secured_, "port", "ports"),
                                                  plural(ports_.size() - secured_, "port is", "ports are")))});
    if (!health_.agent) rows.push_back({"agent here", Cell(health_.agent_silence)});
    const std::vector<Row> more = health_.agent ? agent_rows(*health_.agent, hosts_, look_) : std::vector<Row>();
    rows.insert(rows.end(), more.begin(), more.end());
    std::string out = text_fields(rows, look_.colour, look_.width());
    if (health_.agent) out += served_bridges(*health_.agent, hosts_, bridges_, look_);
    out += sentences("the agent here warns:\n", agent_problems_, look_);
    out += sentences("tunnel zones:\n", zone_problems_, look_);
    return out + not_active() + warnings();
  }

 private:
  Row row(const Json& port) const {
    return {Cell("  port " + port_ids_(text_of(port, "id"))),
            Cell("on " + bridge_labels_(text_of(port, "deviceId"))),
            Cell(host_labels_(text_of(port, "hostId"))),
            Cell(text_of(port, "interfaceName")),
            state_cell(port),
            since(port)};
  }
  Cell since(const Json& port) const {
    return Cell(look_.format == Format::wide ? since_of(port) : age(since_of(port), look_.now));
  }

  std::string not_active() const {
    if (not_active_.empty()) return {};
    std::vector<Row> list;
    for (const Json* port : not_active_) {
      if (list.size() == most) break;
      list.push_back(row(*port));
      list.back().note = reason_of(*port);
    }
    std::string out = "not active:\n" + text_table({}, list, look_.colour, look_.width());
    if (not_active_.size() > most)
      out += fmt::format("  and {} more: `midonet port list`\n", not_active_.size() - most);
    return out;
  }

  // By what is said of them: a thousand ports may have one and the same.
  std::string warnings() const {
    constexpr std::size_t most_ports = 5;
    if (warnings_.empty()) return {};
    std::string out = "active, with a warning:\n";
    std::size_t reasons = 0;
    for (const auto& [reason, list] : warnings_) {
      if (reasons++ == most)
        return out + fmt::format("  and {} warnings more: `midonet port list`\n", warnings_.size() - most);
      std::vector<Row> rows;
      for (std::size_t i = 0; i < std::min(most_ports, list.size()); ++i) rows.push_back(row(*list[i]));
      out += wrapped(printable(reason) + ":", 2, look_.width()) + text_table({}, rows, look_.colour, look_.width());
      if (list.size() > most_ports)
        out += fmt::format("  and {} more: `midonet port list`\n", list.size() - most_ports);
    }
    return out;
  }

  const Health& health_;
  const Json &hosts_, &bridges_, &ports_;
  const Look& look_;
  const Labels host_labels_{hosts_, look_}, bridge_labels_{bridges_, look_};
  const ShortIds port_ids_{ports_, look_};
  std::size_t alive_ = 0, errors_ = 0, pending_ = 0, secured_ = 0;
  std::vector<std::string> down_, zone_problems_, agent_problems_;
  std::map<std::string, std::size_t> states_;
  std::vector<const Json*> not_active_;
  std::map<std::string, std::vector<const Json*>> warnings_;  // by reason
};

}  // namespace

bool spans_hosts(const Json& ports) {
  const auto all = hosts_of_bridges(ports);
  return std::any_of(all.begin(), all.end(), [](const auto& bridge) { return bridge.second.size() > 1; });
}

Verdict health(const Health& health, const Json& hosts, const Json& bridges, const Json& ports, const Look& look) {
  const Report report(health, hosts, bridges, ports, look);
  return {look.format == Format::json ? report.json() : report.text(), report.unwell()};
}

}  // namespace midonet::cli
