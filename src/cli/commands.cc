#include "cli/commands.h"

#include <algorithm>
#include <map>
#include <thread>

#include "base/json.h"
#include "base/uuid.h"
#include "cli/find.h"
#include "cli/labels.h"
#include "cli/overview.h"

namespace midonet::cli {

namespace {

// Below the API's root: "/bridges", "/tunnel_zones".
std::string path_of(const std::string& noun) { return noun == "tunnel-zone" ? "/tunnel_zones" : "/" + noun + "s"; }
std::string class_of(const std::string& noun) {
  return noun == "bridge" ? "Bridge" : noun == "host" ? "Host" : noun == "port" ? "Port" : "TunnelZone";
}

tl::unexpected<Failure> give_up(const Error& error) { return tl::unexpected<Failure>(failure(error)); }

// An array, even of an API that says something else.
Result<Json> all_of(const Session& session, const std::string& noun) {
  auto all = session.api.get(path_of(noun));
  if (all && !all->is_array())
    return fail(Code::internal, "{} does not answer with a list of {}s", session.api.url(), noun);
  return all;
}

std::vector<Candidate> candidates(const std::string& noun, const Json& all) {
  std::vector<Candidate> out;
  for (const Json& one : all) {
    Candidate candidate{text_of(one, "id"), {}};
    for (const char* key : {"name", "interfaceName", "macAddress"}) {
      if (const std::string name = text_of(one, key); !name.empty() && (noun == "port") == (key[0] != 'n'))
        candidate.names.push_back(name);
    }
    out.push_back(std::move(candidate));
  }
  return out;
}

// The entity that is meant. A whole id costs one request for it, anything else one for all of them.
Result<Json> find(const Session& session, const std::string& noun, const std::string& wanted) {
  if (const auto id = Uuid::parse(wanted)) {
    auto one = session.api.get(path_of(noun) + "/" + id->to_string());
    if (one || one.error().code != Code::not_found) return one;
  }
  auto all = all_of(session, noun);
  if (!all) return all;
  const auto id = find_one(noun, wanted, candidates(noun, *all));
  if (!id) return failed(id);
  for (Json& one : *all) {
    if (text_of(one, "id") == *id) return std::move(one);
  }
  return fail(Code::internal, "{} {} has gone", noun, *id);
}

struct Everything {
  Json hosts, bridges, ports;
};
Result<Everything> everything(const Session& session) {
  auto hosts = all_of(session, "host");
  if (!hosts) return failed(hosts);
  auto bridges = all_of(session, "bridge");
  if (!bridges) return failed(bridges);
  auto ports = all_of(session, "port");
  if (!ports) return failed(ports);
  Everything all{sorted_by_name(*std::move(hosts)), sorted_by_name(*std::move(bridges)), {}};
  all.ports = sorted_ports(*std::move(ports), all.bridges, all.hosts);
  return all;
}

Result<Json> zones_with_hosts(const Session& session) {
  auto zones = all_of(session, "tunnel-zone");
  if (!zones) return zones;
  for (Json& zone : *zones) {
    const auto members = session.api.get("/tunnel_zones/" + text_of(zone, "id") + "/hosts");
    if (!members) return members;
    zone["hosts"] = Json::array();
    for (const Json& member : *members) zone["hosts"].push_back(text_of(member, "hostId"));
  }
  return zones;
}

// "3 of its ports are bound: 2 on cmp1, 1 on cmp2"; empty when none is.
Result<std::string> bound_ports(const Session& session, const std::string& bridge_id) {
  const auto ports = session.api.get("/bridges/" + bridge_id + "/ports");
  if (!ports) return failed(ports);
  std::map<std::string, std::size_t> hosts;
  std::size_t bound = 0;
  for (const Json& port : *ports) {
    const std::string host = text_of(port, "hostId");
    if (host.empty()) continue;
    ++hosts[host];
    ++bound;
  }
  if (bound == 0) return std::string();
  const auto all = all_of(session, "host");
  if (!all) return failed(all);
  const Labels labels(*all, session.look);
  std::string out = bound == 1 ? "1 of its ports is bound:" : fmt::format("{} of its ports are bound:", bound);
  std::size_t named = 0;
  constexpr std::size_t most = 8;
  for (const auto& [host, count] : hosts) {
    if (named == most) return out + fmt::format(" and on {} hosts more", hosts.size() - most);
    out += fmt::format("{} {} on {}", named++ == 0 ? "" : ",", count, labels(host));
  }
  return out;
}

// Why a thing is not deleted for what goes with it: the bindings of a bridge's ports, the tunnels of a zone's hosts. Empty: nothing.
Result<std::string> taken_along(const Session& session, const std::string& noun, const Json& one) {
  const std::string id = text_of(one, "id");
  if (noun == "bridge") {
    const auto bound = bound_ports(session, id);
    if (!bound || bound->empty()) return bound;
    return fmt::format("is in use, {}: `midonet detach` them first, or delete it with its ports: --with-ports", *bound);
  }
  if (noun != "tunnel-zone") return std::string();
  const auto members = session.api.get("/tunnel_zones/" + id + "/hosts");
  if (!members) return failed(members);
  if (members->empty()) return std::string();
  return fmt::format(
      "has {} host{}, whose tunnels would end: `midonet tunnel-zone remove-host` them first, or delete it with its "
      "hosts: --with-hosts",
      members->size(), members->size() == 1 ? "" : "s");
}

// What an attach came to, as `port list` would show it.
std::string port_line(const Session& session, const Json& port) {
  if (session.look.format == Format::json) return json_text(port);
  const auto bridges = all_of(session, "bridge");
  const auto hosts = all_of(session, "host");
  return port_list(Json::array({port}), bridges.value_or(Json::array()), hosts.value_or(Json::array()), session.look);
}

// What an operator may do about a port that is not active.
const char* advice(const std::string& state) {
  if (state == "pending-host") return "start the agent of that host";
  if (state == "pending-interface") return "make the interface there";
  if (state == "down") return "set the interface up, and have a guest open it";
  return "`midonet status` shows more";
}

}  // namespace

Failure failure(const Error& error) {
  using namespace midonet_exit;
  switch (error.code) {
    case Code::invalid: return {usage, error.message};
    case Code::not_found: return {not_found, error.message};
    case Code::unauthenticated:
    case Code::forbidden:
    case Code::conflict:
    case Code::exhausted: return {refused, error.message};
    case Code::unavailable: return {unreachable, error.message};
    case Code::internal:
    case Code::pending: break;
  }
  return {defect, error.message};
}

namespace {

Outcome status_now(const Session& session) {
  Health report;
  report.api_url = session.api.url();
  report.socket = session.socket;
  const auto agent = agent_status(session.socket, std::chrono::seconds(2));
  if (agent)
    report.agent = &*agent;
  else
    report.agent_silence = "none: " + agent.error().message;
  // What the agent says is told also when the API cannot.
  const auto without_api = [&](const Error& error) {
    Failure why = failure(error);
    if (session.look.format == Format::json)
      why.output = json_text({{"api", nullptr}, {"agent", agent ? *agent : Json()}});
    else if (agent)
      why.output =
          text_fields(agent_rows(*agent, Json::array(), session.look), session.look.colour, session.look.width()) +
          served_bridges(*agent, Json::array(), Json::array(), session.look);
    else
      why.output = text_fields({{"agent here", report.agent_silence}}, session.look.colour, session.look.width());
    return tl::unexpected<Failure>(std::move(why));
  };
  const auto root = session.api.get("");
  if (!root) return without_api(root.error());
  report.api_version = text_of(*root, "version");
  const auto state = session.api.get("/system_state");
  if (!state) return without_api(state.error());
  report.api_state = text_of(*state, "state") + " " + text_of(*state, "availability");
  const auto all = everything(session);
  if (!all) return without_api(all.error());
  Json zones = Json::array();
  if (spans_hosts(all->ports)) {
    const auto known = zones_with_hosts(session);
    if (!known) return without_api(known.error());
    zones = *known;
    report.zones = &zones;
  }
  Verdict verdict = health(report, all->hosts, all->bridges, all->ports, session.look);
  if (verdict.unwell.empty()) return std::move(verdict.text);
  return tl::unexpected<Failure>(
      Failure{midonet_exit::unwell, "not all is well: " + verdict.unwell, std::move(verdict.text)});
}

}  // namespace

Outcome status(const Session& session, std::optional<std::chrono::milliseconds> wait) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds pause{100};
  const auto end = Clock::now() + wait.value_or(std::chrono::milliseconds(0));
  while (true) {
    Session now = session;
    now.look.now = std::chrono::system_clock::now();
    Outcome outcome = status_now(now);
    // Wrong credentials, for one, do not get right by waiting.
    const bool passing = !outcome && (outcome.error().exit_status == midonet_exit::unreachable ||
                                      outcome.error().exit_status == midonet_exit::unwell);
    if (!passing || Clock::now() + pause > end) return outcome;
    std::this_thread::sleep_for(pause);
  }
}

Outcome show(const Session& session) {
  const auto all = everything(session);
  if (!all) return give_up(all.error());
  return tree(all->hosts, all->bridges, all->ports, session.look);
}

Outcome list(const Session& session, const std::string& noun, const std::optional<std::string>& bridge_or_tenant) {
  if (noun != "port") {
    auto all = all_of(session, noun);
    if (!all) return give_up(all.error());
    if (bridge_or_tenant)
      std::erase_if(all->get_ref<Json::array_t&>(),
                    [&](const Json& one) { return text_of(one, "tenantId") != *bridge_or_tenant; });
    const Json sorted = sorted_by_name(*std::move(all));
    return noun == "bridge" ? bridge_list(sorted, session.look)
           : noun == "host" ? host_list(sorted, session.look)
                            : tunnel_zone_list(sorted, session.look);
  }
  const auto all = everything(session);
  if (!all) return give_up(all.error());
  if (!bridge_or_tenant) return port_list(all->ports, all->bridges, all->hosts, session.look);
  const auto bridge = find_one("bridge", *bridge_or_tenant, candidates("bridge", all->bridges));
  if (!bridge) return give_up(bridge.error());
  Json ports = all->ports;
  std::erase_if(ports.get_ref<Json::array_t&>(),
                [&](const Json& port) { return text_of(port, "deviceId") != *bridge; });
  return port_list(ports, all->bridges, all->hosts, session.look);
}

Outcome show_one(const Session& session, const std::string& noun, const std::string& which) {
  const auto one = find(session, noun, which);
  if (!one) return give_up(one.error());
  std::string out = details(class_of(noun), *one, session.look);
  if (session.look.format == Format::json || noun == "port") return out;
  const std::string id = text_of(*one, "id");
  if (noun == "tunnel-zone") {
    const auto members = session.api.get("/tunnel_zones/" + id + "/hosts");
    if (!members) return give_up(members.error());
    const auto hosts = all_of(session, "host");
    if (!hosts) return give_up(hosts.error());
    return members->empty() ? out : out + "\n" + tunnel_zone_host_list(*members, *hosts, session.look);
  }
  if (noun == "host") {
    const auto interfaces = session.api.get("/hosts/" + id + "/interfaces");
    if (!interfaces) return give_up(interfaces.error());
    if (!interfaces->empty()) out += "\n" + interface_list(sorted_by_name(*interfaces), session.look);
  }
  const auto all = everything(session);
  if (!all) return give_up(all.error());
  Json ports = all->ports;
  std::erase_if(ports.get_ref<Json::array_t&>(),
                [&](const Json& port) { return text_of(port, noun == "host" ? "hostId" : "deviceId") != id; });
  if (!ports.empty()) out += "\n" + port_list(ports, all->bridges, all->hosts, session.look);
  return out;
}

Outcome remove(const Session& session, const std::string& noun, const std::vector<std::string>& which,
               bool with_contents) {
  // All of them are looked up before the first one goes, so that a wrong name changes nothing.
  std::vector<Json> found;
  for (const std::string& wanted : which) {
    auto one = find(session, noun, wanted);
    if (!one) return give_up(one.error());
    const auto alongside = with_contents ? Result<std::string>() : taken_along(session, noun, *one);
    if (!alongside) return give_up(alongside.error());
    if (!alongside->empty())
      return tl::unexpected<Failure>(Failure{midonet_exit::refused, fmt::format("{} {} {}", noun, wanted, *alongside)});
    found.push_back(*std::move(one));
  }
  std::string out;
  for (const Json& one : found) {
    const std::string id = text_of(one, "id");
    const Status removed = session.api.remove(path_of(noun) + "/" + id);
    if (!removed) {
      Failure why = failure(removed.error());
      why.output = out;
      return tl::unexpected<Failure>(std::move(why));
    }
    if (session.look.format == Format::json) continue;
    const std::string name = text_of(one, "name");
    out += fmt::format("deleted {} {}{}\n", noun, id, name.empty() ? "" : " (" + printable(name) + ")");
  }
  return out;
}

namespace {

// The id of what was made, or all of it as JSON.
Outcome made(const Session& session, std::string_view resource, const std::string& path, const Json& body) {
  const auto location = session.api.create(path, body);
  if (!location) return give_up(location.error());
  if (session.look.format == Format::table) return location->substr(location->rfind('/') + 1) + "\n";
  const auto entity = session.api.get(*location);
  if (!entity) return give_up(entity.error());
  return details(resource, *entity, session.look);
}

}  // namespace

Outcome create_bridge(const Session& session, const NewBridge& bridge) {
  Json body{{"name", bridge.name}};
  if (!bridge.tenant.empty()) body["tenantId"] = bridge.tenant;
  if (!bridge.id.empty()) body["id"] = bridge.id;
  return made(session, "Bridge", "/bridges", body);
}

Outcome create_port(const Session& session, const NewPort& port) {
  const auto bridge = find(session, "bridge", port.bridge);
  if (!bridge) return give_up(bridge.error());
  Json body = Json::object();
  if (!port.mac.empty()) body["macAddress"] = port.mac;
  if (!port.id.empty()) body["id"] = port.id;
  return made(session, "Port", "/bridges/" + text_of(*bridge, "id") + "/ports", body);
}

Outcome create_tunnel_zone(const Session& session, const NewTunnelZone& zone) {
  Json body{{"name", zone.name}};
  if (!zone.id.empty()) body["id"] = zone.id;
  return made(session, "TunnelZone", "/tunnel_zones", body);
}

Outcome add_to_tunnel_zone(const Session& session, const ZoneMember& member) {
  const auto zone = find(session, "tunnel-zone", member.zone);
  if (!zone) return give_up(zone.error());
  const auto host = find(session, "host", member.host);
  if (!host) return give_up(host.error());
  const auto location = session.api.create("/tunnel_zones/" + text_of(*zone, "id") + "/hosts",
                                           {{"hostId", text_of(*host, "id")}, {"ipAddress", member.address}});
  if (!location) return give_up(location.error());
  const auto entity = session.api.get(*location);
  if (!entity) return give_up(entity.error());
  if (session.look.format == Format::json) return json_text(*entity);
  return tunnel_zone_host_list(Json::array({*entity}), Json::array({*host}), session.look);
}

Outcome remove_from_tunnel_zone(const Session& session, const ZoneMember& member) {
  const auto zone = find(session, "tunnel-zone", member.zone);
  if (!zone) return give_up(zone.error());
  const auto host = find(session, "host", member.host);
  if (!host) return give_up(host.error());
  const std::string host_id = text_of(*host, "id");
  const Status removed = session.api.remove("/tunnel_zones/" + text_of(*zone, "id") + "/hosts/" + host_id);
  if (!removed) return give_up(removed.error());
  if (session.look.format == Format::json) return std::string();
  return fmt::format("host {} left tunnel zone {}\n", printable(name_in(Json::array({*host}), host_id)),
                     printable(text_of(*zone, "name")));
}

Outcome attach(const Session& session, const Attach& attach) {
  const auto port = find(session, "port", attach.port);
  if (!port) return give_up(port.error());
  const auto host = find(session, "host", attach.host);
  if (!host) return give_up(host.error());
  Json body{{"hostId", text_of(*host, "id")}, {"interface", attach.interface}};
  if (attach.move_from) {
    const auto from = find(session, "host", *attach.move_from);
    if (!from) return give_up(from.error());
    body["previousHostId"] = text_of(*from, "id");
  }
  // The API says where to attach a port; the path is never made here.
  std::string uri = text_of(*port, "attach_interface");
  if (uri.empty()) return give_up(Error{Code::internal, "the API does not say where to attach a port", {}});
  if (attach.wait) uri += fmt::format("?wait={}", std::chrono::duration<double>(*attach.wait).count());
  const auto posted = session.api.post(uri, body, attach.wait.value_or(std::chrono::milliseconds(0)));
  if (!posted) {
    Failure why = failure(posted.error());
    if (posted.error().code == Code::conflict && !attach.move_from)
      why.message += ": `midonet detach` it there first, or move it with --move-from HOST";
    return tl::unexpected<Failure>(std::move(why));
  }

  const std::string line = port_line(session, *posted);
  if (!attach.wait) return line;
  const std::string state = state_of(*posted);
  const std::string reason = reason_of(*posted);
  const std::string why = reason.empty() ? "" : ": " + printable(reason);
  const std::string id = text_of(*port, "id");
  if (state == "error")
    return tl::unexpected<Failure>(
        Failure{midonet_exit::port_error, fmt::format("port {} is attached, but not active{}", id, why), line});
  if (state != "active")
    return tl::unexpected<Failure>(
        Failure{midonet_exit::not_yet,
                fmt::format("port {} is attached, but still {} after {} s{}: {}", id, state,
                            std::chrono::duration<double>(*attach.wait).count(), why, advice(state)),
                line});
  return line;
}

Outcome detach(const Session& session, const std::string& which) {
  const auto port = find(session, "port", which);
  if (!port) return give_up(port.error());
  const std::string uri = text_of(*port, "attach_interface");
  if (uri.empty()) return give_up(Error{Code::internal, "the API does not say where to detach a port", {}});
  if (const Status detached = session.api.remove(uri); !detached) return give_up(detached.error());
  if (session.look.format == Format::json) return std::string();
  const std::string interface = text_of(*port, "interfaceName");
  if (interface.empty()) return fmt::format("port {} was not attached\n", text_of(*port, "id"));
  return fmt::format("detached port {} from {}\n", text_of(*port, "id"), printable(interface));
}

std::vector<std::string> choices(const Session& session, const std::string& noun, const std::string& host) {
  std::vector<std::string> out;
  if (noun == "interface") {
    const auto one = find(session, "host", host);
    const auto all =
        one ? session.api.get("/hosts/" + text_of(*one, "id") + "/interfaces") : Result<Json>(Json::array());
    for (const Json& interface : all.value_or(Json::array())) out.push_back(text_of(interface, "name"));
  } else {
    for (const Candidate& candidate : candidates(noun, all_of(session, noun).value_or(Json::array()))) {
      out.push_back(candidate.id);
      out.insert(out.end(), candidate.names.begin(), candidate.names.end());
    }
  }
  // What a shell would split or show as something else is no help there.
  std::erase_if(out, [](const std::string& text) {
    return text.empty() || text.find_first_of(" \t'\"\\$`") != std::string::npos || printable(text) != text;
  });
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace midonet::cli
