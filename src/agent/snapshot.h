// What the store says about this host, read through a View: its bindings, their ports, the bridges of those with their
// static tables. Used by the agent with a store::Mirror; plan.h makes of it what the host should look like.
//
// A plain function of the view and of the snapshot before: records that have not changed since are not parsed again, so
// that one change among ten thousand ports costs ten thousand look-ups and one parse. What is wrong with a record stays
// with the port or bridge that it is about.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/result.h"
#include "base/uuid.h"
#include "model/bridge.h"
#include "model/port.h"
#include "store/store.h"

namespace midonet::agent {

struct BoundPort {
  Uuid id;
  store::Revision revision = 0;  // of the binding
  std::string interface;
  std::string damage;  // why the binding cannot be read; empty when it can

  bool port_known = false;  // the port's record was looked up, and is there or not; else it is still being read
  store::Revision port_revision = 0;
  std::shared_ptr<const model::Port> port;  // null: there is none, or it is damaged
  std::string port_damage;
};

struct ServedBridge {
  bool known = false;  // as port_known; false also while its tables are being read
  store::Revision created = 0;
  store::Revision revision = 0;
  std::optional<model::Bridge> record;  // none: it does not exist, or it is damaged
  std::string damage;
  struct MacTarget {
    store::Revision revision = 0;
    Uuid port;
  };
  struct Neighbour {
    store::Revision revision = 0;
    Mac mac;
  };
  // By the entry's name in the store, which is the MAC or the IP as text. Without a value: damaged.
  std::map<std::string, std::optional<MacTarget>> mac_table;
  std::map<std::string, std::optional<Neighbour>> arp_table;
};

struct Snapshot {
  Uuid host;
  std::vector<BoundPort> ports;  // ascending by id
  std::map<Uuid, ServedBridge> bridges;
  std::vector<std::string> foreign;  // names below /hosts/<h>/ports that are no ids
  bool complete = false;             // nothing is still being read
};

// pending, unavailable, not_found (the host is not registered): the list of the bindings itself could not be read.
Result<Snapshot> read_snapshot(store::View& view, const Uuid& host, const Snapshot& before);

}  // namespace midonet::agent
