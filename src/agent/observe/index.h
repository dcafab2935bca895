// Which ports are bound to an interface and which are of a bridge, which bridges have a VNI: so that a change finds what it
// concerns. Holds of each record of a Snapshot what it was told of last. On the loop's thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/observe/snapshot.h"
#include "base/uuid.h"
#include "base/vni.h"

namespace midonet::agent {

class Index {
 public:
  Index() = default;
  explicit Index(const Snapshot& snapshot);

  // Before a record changes or goes, and after it has come or changed.
  void remove(const BoundPort& port);
  void add(const BoundPort& port);
  void remove(const LingeringPort& port);
  void add(const LingeringPort& port);
  void remove(const Uuid& id, const ServedBridge& bridge);
  void add(const Uuid& id, const ServedBridge& bridge);

  // Bound to it, by what their bindings say.
  const std::vector<Uuid>& at_interface(const std::string& name) const;
  // Of those the one that was bound first has it. Null: none.
  const BoundPort* holder(const Snapshot& snapshot, const std::string& interface) const;
  // Bound here and of this bridge, by what their records say; the nil bridge has those whose records do not say.
  const std::set<Uuid>& ports(const Uuid& bridge) const;
  const std::set<Uuid>& lingering(const Uuid& bridge) const;
  bool serves(const Uuid& bridge) const { return !ports(bridge).empty() || !lingering(bridge).empty(); }
  const std::set<Uuid>& with_vni(Vni vni) const;
  // Of those the one that was created first has it.
  std::optional<Uuid> vni_holder(const Snapshot& snapshot, Vni vni) const;

 private:
  std::unordered_map<std::string, std::vector<Uuid>> interfaces_;
  std::map<Uuid, std::set<Uuid>> ports_, lingering_;
  std::map<Vni, std::set<Uuid>> vnis_;
};

// The bridge that a port is of, by its record; nil: that is not known.
inline Uuid bridge_of(const BoundPort& port) { return port.port ? port.port->bridge_id : Uuid{}; }

}  // namespace midonet::agent
