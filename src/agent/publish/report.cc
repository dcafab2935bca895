#include "agent/publish/report.h"

#include <array>
#include <utility>

#include "base/interface_name.h"
#include "base/log.h"
#include "model/paths.h"
#include "model/record.h"
#include "store/path.h"

namespace midonet::agent {

namespace paths = model::paths;
using model::PortState;
using model::PortStatus;

namespace {
bool same_state(const PortStatus& a, const PortStatus& b) { return a.state == b.state && a.revision == b.revision; }

constexpr std::array reported = {PortState::pending_interface, PortState::down, PortState::active, PortState::error};
}  // namespace

Report::Report(store::NodeWriter& nodes, Registry& registry, const Uuid& host, Clock now)
    : nodes_(nodes), host_(host), now_(std::move(now)) {
  for (const PortState state : reported)
    counts_.emplace(state, std::pair(registry.gauge("midonet_agent_ports", "Bound ports of this host by state",
                                                    {{"state", std::string(model::name(state))}}),
                                     0));
}

bool Report::port(const Uuid& id, PortStatus status) {
  const auto [at, fresh] = current_.try_emplace(id);
  PortStatus& is = at->second;
  if (fresh || is.state != status.state)
    status.since = rfc3339(now_());
  else
    status.since = is.since;
  if (fresh && !earlier_.empty()) {
    const auto earlier = earlier_.find(id);
    if (earlier != earlier_.end()) {
      if (same_state(earlier->second, status)) status.since = earlier->second.since;
      earlier_.erase(earlier);
    }
  }
  if (!fresh && is == status) return false;
  if (!fresh) count(is.state, -1);
  count(status.state, 1);
  nodes_.put(paths::status(host_, id), ephemeral(Rank::status), encode(status));
  is = std::move(status);
  return true;
}

bool Report::unbound(const Uuid& id) {
  const auto at = current_.find(id);
  if (at == current_.end()) return false;
  count(at->second.state, -1);
  nodes_.remove(paths::status(host_, id));
  current_.erase(at);
  return true;
}

void Report::found(const std::string& path, const std::string& value) {
  const std::string folder = paths::statuses(host_) + "/";
  if (!path.starts_with(folder)) return;
  const auto id = Uuid::parse(std::string_view(path).substr(folder.size()));
  auto status = model::decode<PortStatus>(value);
  if (!id || !status || status->since.empty()) return;
  const auto known = current_.find(*id);
  if (known == current_.end()) {
    earlier_[*id] = *std::move(status);
  } else if (same_state(known->second, *status) && status->since < known->second.since) {
    known->second.since = status->since;
    nodes_.put(path, ephemeral(Rank::status), encode(known->second));
  }
}

void Report::count(PortState state, int change) {
  const auto at = counts_.find(state);
  if (at == counts_.end()) return;
  at->second.second += change;
  at->second.first.set(at->second.second);
}

void Report::interfaces(const netlink::LinkTable& links) {
  const auto before = std::exchange(links_seen_, links.version());
  auto names = before ? links.changed_since(*before) : std::nullopt;
  if (!names) {
    names.emplace(interfaces_);
    for (const auto& [ifindex, link] : links.all()) names->insert(link.name);
    for (const auto& [name, sentence] : unpublished_) names->insert(name);
  }
  for (const std::string& name : *names) interface(name, links);
}

void Report::interface(const std::string& name, const netlink::LinkTable& links) {
  const netlink::Link* link = links.find(name);
  const bool takes = check_interface_name(name) && store::check_path(paths::interface(host_, name));
  if (!link || takes) unpublished_.erase(name);
  if (!link) {
    if (interfaces_.erase(name) > 0) nodes_.remove(paths::interface(host_, name));
  } else if (!takes) {
    std::string sentence =
        fmt::format("interface \"{}\" (ifindex {}) is not published: the store takes no key with its name",
                    printable(name), link->ifindex);
    std::string& known = unpublished_[name];
    if (known != sentence) log::warning("{}", sentence);
    known = std::move(sentence);
  } else {
    interfaces_.insert(name);
    nodes_.put(paths::interface(host_, name), ephemeral(Rank::interface), encode(describe(*link)));
  }
}

model::Interface describe(const netlink::Link& link) {
  model::Interface out;
  out.name = link.name;
  out.mac = link.mac ? link.mac->to_string() : "";
  out.mtu = link.mtu;
  out.status = (link.up ? 1 : 0) | (link.carrier ? 2 : 0);
  out.type = "Virtual";
  out.endpoint = "UNKNOWN";
  if (link.loopback) {
    out.endpoint = "LOCALHOST";
  } else if (link.kind == "tun") {
    out.endpoint = "TUNTAP";
  } else if (link.kind.empty()) {
    out.type = link.ethernet() ? "Physical" : "Unknown";
    out.endpoint = link.ethernet() ? "PHYSICAL" : "UNKNOWN";
  } else if (link.kind == "vxlan" || link.kind == "geneve" || link.kind == "gre" || link.kind == "gretap" ||
             link.kind == "ip6gre" || link.kind == "ip6gretap" || link.kind == "ipip" || link.kind == "sit") {
    out.type = "Tunnel";
  }
  for (const Ip& ip : link.addresses) out.addresses.push_back(ip.to_string());
  return out;
}

}  // namespace midonet::agent
