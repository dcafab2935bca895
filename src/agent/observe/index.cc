#include "agent/observe/index.h"

#include <algorithm>

namespace midonet::agent {

namespace {

// Of two that claim one thing, the one whose record is older has it; ids decide where records cannot.
bool older(store::Revision a, const Uuid& a_id, store::Revision b, const Uuid& b_id) {
  return a != b ? a < b : a_id < b_id;
}

void erase_from(auto& sets, const auto& key, const Uuid& id) {
  const auto at = sets.find(key);
  if (at == sets.end()) return;
  at->second.erase(id);
  if (at->second.empty()) sets.erase(at);
}

const std::set<Uuid>& find_in(const auto& sets, const auto& key) {
  static const std::set<Uuid> none;
  const auto at = sets.find(key);
  return at == sets.end() ? none : at->second;
}

}  // namespace

Index::Index(const Snapshot& snapshot) {
  for (const auto& [id, port] : snapshot.ports) add(port);
  for (const auto& [id, port] : snapshot.lingering) add(port);
  for (const auto& [id, bridge] : snapshot.bridges) add(id, bridge);
}

void Index::remove(const BoundPort& port) {
  erase_from(ports_, bridge_of(port), port.id);
  const auto at = interfaces_.find(port.interface);
  if (at == interfaces_.end()) return;
  std::erase(at->second, port.id);
  if (at->second.empty()) interfaces_.erase(at);
}

void Index::add(const BoundPort& port) {
  ports_[bridge_of(port)].insert(port.id);
  if (!port.interface.empty()) interfaces_[port.interface].push_back(port.id);
}

void Index::remove(const LingeringPort& port) { erase_from(lingering_, port.bridge, port.id); }
void Index::add(const LingeringPort& port) { lingering_[port.bridge].insert(port.id); }

void Index::remove(const Uuid& id, const ServedBridge& bridge) {
  if (bridge.record && bridge.record->vni) erase_from(vnis_, *bridge.record->vni, id);
}

void Index::add(const Uuid& id, const ServedBridge& bridge) {
  if (bridge.record && bridge.record->vni) vnis_[*bridge.record->vni].insert(id);
}

const std::vector<Uuid>& Index::at_interface(const std::string& name) const {
  static const std::vector<Uuid> none;
  const auto at = interfaces_.find(name);
  return at == interfaces_.end() ? none : at->second;
}

const BoundPort* Index::holder(const Snapshot& snapshot, const std::string& interface) const {
  const BoundPort* holder = nullptr;
  for (const Uuid& id : at_interface(interface)) {
    const BoundPort* port = find_port(snapshot, id);
    if (!holder || older(port->revision, port->id, holder->revision, holder->id)) holder = port;
  }
  return holder;
}

const std::set<Uuid>& Index::ports(const Uuid& bridge) const { return find_in(ports_, bridge); }
const std::set<Uuid>& Index::lingering(const Uuid& bridge) const { return find_in(lingering_, bridge); }
const std::set<Uuid>& Index::with_vni(Vni vni) const { return find_in(vnis_, vni); }

std::optional<Uuid> Index::vni_holder(const Snapshot& snapshot, Vni vni) const {
  std::optional<Uuid> holder;
  for (const Uuid& id : with_vni(vni))
    if (!holder || older(snapshot.bridges.at(id).created, id, snapshot.bridges.at(*holder).created, *holder))
      holder = id;
  return holder;
}

}  // namespace midonet::agent
