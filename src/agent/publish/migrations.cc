#include "agent/publish/migrations.h"

#include "base/log.h"

namespace midonet::agent {

Migrations::Migrations(Registry& registry)
    : gauge_(registry.gauge("midonet_agent_lingering_ports",
                            "Ports that another host has taken over and whose guest still runs here")) {}

// Logs why ports go that were kept. One that went does not come back.
void Migrations::note(const Plan& plan, const Scope& scope, const Snapshot& snapshot) {
  std::erase_if(standby_, [&](const auto& port) { return !snapshot.ports.contains(port.first); });
  for (const PortPlan& port : plan.ports) {
    const auto before = standby_.find(port.id);
    if (!port.standby || port.undecided) {
      if (before == standby_.end()) continue;
      log::info("port={}: its guest is here now", port.id);
      standby_.erase(before);
      continue;
    }
    const Uuid& from = find_port(snapshot, port.id)->taken_from->host_id;
    if (before == standby_.end())
      log::info("port={}: its guest runs on host={}, where frames go until it is heard here", port.id, from);
    standby_[port.id] = from;
  }

  std::map<Uuid, LingeringPlan> now;
  for (const LingeringPlan& port : plan.lingering) {
    const auto before = lingering_.find(port.id);
    if (port.taken_by && (before == lingering_.end() || before->second.taken_by != port.taken_by))
      log::info("port={} was taken over by host={}: kept on {} while its guest runs here", port.id, *port.taken_by,
                port.interface);
    now.emplace(port.id, port);
  }
  for (const auto& [id, port] : lingering_) {
    if (now.contains(id)) continue;
    if (!scope.all && !scope.bridges.contains(port.bridge)) {
      now.emplace(id, port);
      continue;
    }
    if (!port.taken_by) continue;
    const auto why = plan.over.find(id);
    log::info("port={} leaves {}: {}", id, port.interface,
              why != plan.over.end()    ? why->second
              : find_port(snapshot, id) ? "it is bound here again"
                                        : "it is not on its way to another host any more");
  }
  lingering_ = std::move(now);
  gauge_.set(static_cast<double>(lingering_.size()));
}

}  // namespace midonet::agent
