#include "agent/applier.h"

namespace midonet::agent {

void Applier::open_taps(datapath::Desired& desired, const netlink::LinkTable& links) const {
  for (const std::uint32_t ifindex : datapath_.closed()) {
    const netlink::Link* link = links.find(ifindex);
    if (!link || link->master != 0) desired.banned.insert(ifindex);
  }
}

datapath::Applied Applier::apply(const Plan& plan, const Scope& scope, const Snapshot& snapshot,
                                 datapath::Sweep sweep) {
  const std::set<Vni> bridges = vnis_of(scope, snapshot);
  if (scope.all) held_.clear();
  for (const PortPlan& port : plan.ports) held_.erase(port.id);
  std::erase_if(held_, [&](const Uuid& id) { return !find_port(snapshot, id); });
  held_.insert(plan.desired.held.begin(), plan.desired.held.end());
  if (scope.all) return datapath_.apply(plan.desired, sweep);
  datapath::Desired desired = plan.desired;
  desired.held = held_;
  return datapath_.apply_bridges(desired, bridges, sweep);
}

// Those that the bridges have now, and those that they had.
std::set<Vni> Applier::vnis_of(const Scope& scope, const Snapshot& snapshot) {
  std::set<Vni> out;
  if (scope.all) {
    vnis_.clear();
    for (const auto& [id, bridge] : snapshot.bridges) note(id, snapshot, out);
  } else {
    for (const Uuid& id : scope.bridges) note(id, snapshot, out);
  }
  return out;
}

void Applier::note(const Uuid& id, const Snapshot& snapshot, std::set<Vni>& out) {
  const auto old = vnis_.find(id);
  if (old != vnis_.end()) out.insert(old->second);
  const auto bridge = snapshot.bridges.find(id);
  if (bridge == snapshot.bridges.end() || !bridge->second.record || !bridge->second.record->vni) {
    if (old != vnis_.end()) vnis_.erase(old);
    return;
  }
  out.insert(*bridge->second.record->vni);
  vnis_[id] = *bridge->second.record->vni;
}

}  // namespace midonet::agent
