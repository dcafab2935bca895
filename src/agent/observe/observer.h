// Keeps the Snapshot of what the store says about this host. A store::Mirror says which parts have changed: a port, a bridge, its
// peers, the host's own records. The observer reads these parts again, and says which bridges they concern. So a change costs
// what its bridge has on this host, not what the host has. What is followed grows with what the host serves, never with the cloud.
//
// On the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/observe/index.h"
#include "agent/observe/own_offers.h"
#include "agent/observe/reader.h"
#include "agent/observe/snapshot.h"
#include "base/uuid.h"
#include "netlink/link.h"
#include "store/mirror.h"
#include "store/store.h"

namespace midonet::agent {

// Bridges, and ports of which it is not known whose they are.
struct Scope {
  bool all = false;
  std::set<Uuid> bridges{};
  std::set<Uuid> ports{};

  bool empty() const { return !all && bridges.empty() && ports.empty(); }
  void add(const Scope& other) {
    all = all || other.all;
    bridges.insert(other.bridges.begin(), other.bridges.end());
    ports.insert(other.ports.begin(), other.ports.end());
  }
};

// Where parts are read: a Mirror, or a test's view.
class Parts {
 public:
  virtual ~Parts() = default;
  virtual Status read(const store::Mirror::Part& part, const std::function<Status(store::View&)>& reader) = 0;
  virtual void drop(const store::Mirror::Part& part) = 0;
};

// What is wrong with records that no port's status tells of, a sentence each.
std::set<std::string> complaints(const Snapshot& snapshot);

class Observer {
 public:
  using Part = store::Mirror::Part;

  Observer(Parts& parts, const Uuid& host);

  struct Changes {
    bool lost = false;  // the host was there before, and is not any more
    Scope concerned{};
    std::set<Uuid> bindings{};  // that came, changed or went
    bool underlay = false;      // this host's zones, or the hosts that serve a bridge with it
  };
  // Reads the parts that changed, or all. `offered` is what this host offers; null while that is being read: then no port that was
  // bound here is taken for one that is not offered.
  Changes update(const std::set<Part>& changed, const OwnOffers* offered, bool all = false);

  static Part peers_of(const Uuid& bridge) { return {peers_part, bridge}; }

  const Snapshot& snapshot() const { return snapshot_; }
  const Index& index() const { return index_; }
  bool lost() const { return lost_; }  // the host is not in the store any more: all stays as it was

  // The port does not stay here any more. Returns what that changes beyond its own bridge.
  Changes let_go(const Uuid& lingering);
  // What else a change of these concerns.
  void concern_interface(const std::string& name, Scope& scope) const;
  void concern_link(const std::string& name, const netlink::LinkTable& links, Scope& scope) const;  // and its members
  void concern_port(const BoundPort& port, Scope& scope) const;
  void concern_bridge(const Uuid& id, Scope& scope) const;

 private:
  enum Kind : std::uint32_t { host_part = 1, port_part, bridge_part, peers_part };

  void read_host(Changes& changes, std::set<Uuid>& ports);
  void list(std::vector<std::string> names, std::set<Uuid>& ports);
  void read_port(const Uuid& id, const OwnOffers* offered, Changes& changes);
  std::optional<LingeringPort> lingers(const Uuid& id, const Uuid& bridge, store::Revision revision,
                                       const Result<store::NodePtr>& record, const BoundPort* old);
  void offered_elsewhere(const OwnOffers& offered, std::set<Uuid>& ports) const;
  void read_bridge_part(const Uuid& id, Changes& changes);
  void read_peers_part(const Uuid& id, const OwnOffers* offered, Changes& changes);
  void forget_bridge(const Uuid& id, Changes& changes);
  void settle_bridges(std::set<Uuid>& bridges, std::set<Uuid>& peers, Changes& changes);
  Damaged take_damaged(const std::string& below);
  void note_unread(const Part& part, bool unread);
  void note_known();

  Parts& parts_;
  Snapshot snapshot_;
  Index index_;
  bool lost_ = false;
  bool candidates_known_ = false;   // what this host offered before was looked through
  std::vector<std::string> names_;  // in that list
  std::vector<Uuid> listed_;        // of them those that are ids; ascending, as those are
  std::set<Uuid> touched_;          // bridges that a port came to or left
  std::set<Part> unread_, unread_peers_;
};

}  // namespace midonet::agent
