// Hands the plan of some bridges, or of all, to the datapath, in its words. On the loop's thread.
#pragma once

#include <map>
#include <set>

#include "agent/observe/snapshot.h"
#include "agent/plan/plan.h"
#include "base/uuid.h"
#include "base/vni.h"
#include "datapath/datapath.h"
#include "netlink/link.h"

namespace midonet::agent {

class Applier {
 public:
  explicit Applier(datapath::Datapath& datapath) : datapath_(datapath) {}

  // Bans closed taps that have gone, or that were put into a bridge meanwhile.
  void open_taps(datapath::Desired& desired, const netlink::LinkTable& links) const;
  datapath::Applied apply(const Plan& plan, const Scope& scope, const Snapshot& snapshot, datapath::Sweep sweep);

 private:
  std::set<Vni> vnis_of(const Scope& scope, const Snapshot& snapshot);
  void note(const Uuid& bridge, const Snapshot& snapshot, std::set<Vni>& out);

  datapath::Datapath& datapath_;
  std::map<Uuid, Vni> vnis_;  // of the bridges, as planned last
  std::set<Uuid> held_;       // ports, likewise
};

}  // namespace midonet::agent
