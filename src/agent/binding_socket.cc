#include "agent/binding_socket.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/plan/remote.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "http/file_source.h"
#include "http/status.h"
#include "store/transaction.h"
#include "topology/attach.h"

namespace midonet::agent {

using Json = nlohmann::json;

namespace {

constexpr std::string_view bindings = "/binding/";

http::Response json(int status, const Json& body) {
  http::Response out;
  out.status = status;
  out.headers.emplace("Content-Type", "application/json");
  // What a client sent may be any bytes, and comes back in messages.
  out.body = dump_json(body) + "\n";
  return out;
}

http::Response failure(const Error& error) {
  const int status = http::status_of(error.code);
  return json(status, {{"message", error.message}, {"code", status}});
}

http::Response not_allowed(const char* methods) {
  http::Response out = json(405, {{"message", fmt::format("this resource takes {}", methods)}, {"code", 405}});
  out.headers.emplace("Allow", methods);
  return out;
}

// {"interfaceName": "tap0"}; other keys are ignored.
Result<std::string> interface_name(const std::string& body) {
  const Json given = parse_json(body);
  if (!given.is_object()) return fail(Code::invalid, "the body is not a JSON object");
  const auto name = given.find("interfaceName");
  if (name == given.end() || !name->is_string())
    return fail(Code::invalid, "'interfaceName' is missing or not a string");
  return name->get<std::string>();
}

http::Server::Options options() {
  http::Server::Options out;
  out.name = "agent";
  out.limits.body_bytes = 64 * 1024;
  out.limits.connections = 128;
  return out;
}

std::string_view word(store::State state) {
  switch (state) {
    case store::State::connected:
    case store::State::new_session: return "connected";
    case store::State::disconnected: break;
  }
  return "disconnected";
}

// The overlay as this host sees it; null for a host in no tunnel zone. `link` has the address `vtep`, null when none has.
Json tunnel(const Agent& agent) {
  const Agent::Tunnel& is = agent.tunnel();
  if (!is.overlay) return nullptr;
  Json zones = Json::object();
  for (const auto& [zone, ip] : is.overlay->self.zones) zones[zone.to_string()] = ip.to_string();
  const bool carried = is.overlay->carried;
  return {{"device", agent.options().tunnel_device},
          {"udpPort", agent.options().tunnel_port},
          {"vtep", is.overlay->self.vtep.to_string()},
          {"vtepPresent", carried},
          {"link", carried ? Json(is.overlay->link) : Json()},
          {"linkMtu", carried ? Json(is.overlay->link_mtu) : Json()},
          {"zones", std::move(zones)},
          {"mtu", is.overlay->mtu},
          {"state", is.state ? "active" : "error"},
          {"error", is.state ? "" : is.state.error().message}};
}

// How many MAC addresses lead to each peer, by the address that frames for them are sent to.
std::map<Ip, std::size_t> remote_macs(const Agent& agent, const Peers& peers) {
  std::map<Ip, std::size_t> out;
  const auto& overlay = agent.tunnel().overlay;
  if (!overlay) return out;
  const auto own = [&agent](const Uuid& id) -> std::optional<model::OfferedPort> {
    model::OfferedPort word;
    const auto lingering = agent.lingering().find(id);
    if (const BoundPort* bound = find_port(agent.snapshot(), id))
      word.revision = bound->revision;
    else if (lingering != agent.lingering().end())
      word.revision = lingering->second.revision;
    else
      return {};
    word.standby = agent.standby().contains(id);
    return word;
  };
  const RemoteBridge there = remote_bridge(peers, overlay->self, agent.options().overlay.family, own);
  std::map<Mac, Ip> macs;
  for (const RemoteBridge::Declared& declared : there.declared)
    if (declared.active) macs.emplace(declared.mac, declared.vtep);
  for (const RemoteBridge::Claim& claim : there.learned) macs.emplace(claim.mac, claim.vtep);
  for (const auto& [mac, vtep] : macs) ++out[vtep];
  return out;
}

// The bridges with ports bound here, and the other hosts that serve each.
Json bridges(const Agent& agent) {
  Json out = Json::array();
  const auto& overlay = agent.tunnel().overlay;
  for (const auto& [id, bridge] : agent.snapshot().bridges) {
    Json peers = Json::array();
    const std::map<Ip, std::size_t> macs = remote_macs(agent, *bridge.peers);
    for (const auto& [host, peer] : bridge.peers->hosts) {
      std::optional<Ip> ip;
      if (peer->record && overlay) ip = address_of(*peer->record, overlay->self, agent.options().overlay.family);
      std::size_t ports = 0;
      for (const auto& [number, chunk] : peer->chunks) ports += chunk.offers ? chunk.offers->ports.size() : 0;
      const auto count = ip ? macs.find(*ip) : macs.end();
      peers.push_back({{"hostId", host.to_string()},
                       {"address", ip ? Json(ip->to_string()) : Json()},
                       {"ports", ports},
                       {"macs", count == macs.end() ? 0 : count->second}});
    }
    Json one{{"bridgeId", id.to_string()}, {"offered", bridge.self}, {"peers", std::move(peers)}};
    one["vni"] = bridge.record && bridge.record->vni ? Json(bridge.record->vni->number()) : Json();
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

BindingSocket::BindingSocket(Loop& loop, store::Store& store, Agent& agent, Registry& registry)
    : store_(store),
      agent_(agent),
      registry_(registry),
      server_(loop, registry, options(),
              [this](const http::Request& request, http::Responder respond) { handle(request, std::move(respond)); }) {}

Status BindingSocket::listen(const std::string& path) { return server_.listen_unix(path, 0600); }

void BindingSocket::stop(std::function<void()> stopped) { server_.stop(std::move(stopped)); }

void BindingSocket::handle(const http::Request& request, http::Responder respond) {
  if (request.path.starts_with(bindings)) {
    const auto port = Uuid::parse(std::string_view(request.path).substr(bindings.size()));
    if (!port) return respond(failure(port.error()));
    if (!agent_.started()) {
      const auto warnings = agent_.warnings();
      return respond(
          failure(Error{Code::unavailable,
                        warnings.empty() ? "the store has not answered since the agent started" : warnings.front()}));
    }
    if (request.method == "PUT") return bind(*port, request.body, std::move(respond));
    if (request.method == "DELETE") return unbind(*port, std::move(respond));
    return respond(not_allowed("PUT, DELETE"));
  }
  if (request.path == "/accept") {
    if (request.method != "POST") return respond(not_allowed("POST"));
    agent_.accept_store();
    return respond(json(200, {{"warnings", agent_.warnings()}}));
  }
  if (request.path == "/backup") {
    if (request.method != "GET") return respond(not_allowed("GET"));
    return back_up(std::move(respond));
  }
  const bool known = request.path == "/status" || request.path == "/metrics";
  if (!known) return respond(failure(Error{Code::not_found, fmt::format("there is nothing at {}", request.path)}));
  if (request.method != "GET") return respond(not_allowed("GET"));
  http::Response out;
  out.headers.emplace("Content-Type", request.path == "/status" ? "application/json" : "text/plain; version=0.0.4");
  out.body = request.path == "/status" ? status() : registry_.text();
  respond(std::move(out));
}

void BindingSocket::bind(const Uuid& port, const std::string& body, http::Responder respond) {
  auto name = interface_name(body);
  if (!name) return respond(failure(name.error()));
  topology::AttachRequest request;
  request.port_id = port;
  request.host_id = agent_.host();
  request.interface_name = *name;
  request.takeover = topology::Takeover::allow;
  store::transact<topology::Attached>(
      store_, [request](store::Transaction& t) { return topology::attach(t, request); },
      [request, respond = std::move(respond)](Result<topology::Attached> attached) {
        if (!attached) {
          log::warning("bind port={} interface={}: {}", request.port_id, request.interface_name,
                       attached.error().message);
          return respond(failure(attached.error()));
        }
        respond(json(200, {{"portId", request.port_id.to_string()},
                           {"interfaceName", request.interface_name},
                           {"changed", attached->changed}}));
      });
}

void BindingSocket::unbind(const Uuid& port, http::Responder respond) {
  store::transact<topology::Detached>(
      store_, [port, host = agent_.host()](store::Transaction& t) { return topology::detach(t, port, host); },
      [port, respond = std::move(respond)](Result<topology::Detached> detached) {
        if (!detached) {
          log::warning("unbind port={}: {}", port, detached.error().message);
          return respond(failure(detached.error()));
        }
        if (const auto& back = detached->given_back)
          log::info("unbind port={}: its guest runs on host={}: given back to its interface {}", port, back->host_id,
                    back->interface_name);
        respond(http::Response{204, {}, {}});
      });
}

void BindingSocket::back_up(http::Responder respond) {
  store_.backup([respond = std::move(respond)](Result<UniqueFd> copy) {
    if (!copy) {
      log::warning("back up the store: {}", copy.error().message);
      return respond(failure(copy.error()));
    }
    http::Response out;
    out.headers.emplace("Content-Type", "application/vnd.sqlite3");
    out.source = http::file_source(*std::move(copy));
    respond(std::move(out));
  });
}

std::string BindingSocket::status() const {
  std::map<Uuid, datapath::PortCounters> counters;
  for (datapath::PortCounters& one : agent_.datapath().counters()) counters.emplace(one.id, std::move(one));
  Json ports = Json::array();
  std::map<std::string, int> states;
  for (const auto& [id, status] : agent_.statuses()) {
    const std::string state(model::name(status.state));
    ++states[state];
    Json port{{"portId", id.to_string()},
              {"interfaceName", agent_.interface_of(id)},
              {"state", state},
              {"reason", status.reason},
              {"since", status.since},
              {"ifindex", status.ifindex},
              {"revision", status.revision}};
    if (const auto elsewhere = agent_.standby().find(id); elsewhere != agent_.standby().end())
      port["guestOn"] = elsewhere->second.to_string();
    if (const auto counted = counters.find(id); counted != counters.end()) {
      const datapath::PortCounters& of = counted->second;
      port["counters"] = {{"rxPackets", of.rx_packets},
                          {"rxBytes", of.rx_bytes},
                          {"txPackets", of.tx_packets},
                          {"txBytes", of.tx_bytes},
                          {"drops", of.drops}};
    }
    ports.push_back(std::move(port));
  }
  Json lingering = Json::array();
  for (const auto& [id, port] : agent_.lingering())
    lingering.push_back({{"portId", id.to_string()},
                         {"interfaceName", port.interface},
                         {"takenBy", port.taken_by ? Json(port.taken_by->to_string()) : Json()},
                         {"ifindex", port.ifindex},
                         {"revision", port.revision}});
  Json closed = Json::array();
  for (const std::uint32_t ifindex : agent_.datapath().closed()) {
    const netlink::Link* link = agent_.links().find(ifindex);
    closed.push_back({{"interfaceName", link ? Json(link->name) : Json()}, {"ifindex", ifindex}});
  }
  Json out{{"hostId", agent_.host().to_string()},
           {"version", agent_.version()},
           {"pid", ::getpid()},
           {"store", agent_.store().uri()},
           {"storeState", word(agent_.store().state())},
           {"storeSince", rfc3339(agent_.store_since())},
           {"followed", agent_.followed()},
           {"synchronised", agent_.synchronised()},
           {"reconciles", agent_.reconciles()},
           {"lastReconcile", nullptr},
           {"tunnel", tunnel(agent_)},
           {"bridges", bridges(agent_)},
           {"warnings", agent_.warnings()},
           {"portStates", states},
           {"ports", std::move(ports)},
           {"lingering", std::move(lingering)},
           {"closedTaps", std::move(closed)}};
  if (const auto& last = agent_.last_reconcile())
    out["lastReconcile"] = {{"when", rfc3339(last->when)},
                            {"seconds", std::chrono::duration<double>(last->took).count()}};
  return dump_json(out) + "\n";
}

}  // namespace midonet::agent
