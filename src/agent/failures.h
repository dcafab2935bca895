// What the datapath could not make complete, and when to try it again. On the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "agent/observe/snapshot.h"
#include "agent/plan/plan.h"
#include "agent/retry.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "datapath/datapath.h"

namespace midonet::agent {

class Failures {
 public:
  // `again` is called when it is time for another attempt at these ports; `all`: at what belongs to no port, too.
  using Again = std::function<void(const std::set<Uuid>& ports, bool all)>;
  Failures(Loop& loop, Again again);

  // An attempt at these bridges and ports ended now.
  void note(const Plan& plan, const Scope& scope, const datapath::Applied& applied, const Snapshot& snapshot,
            Retry::Time now);

  // Ports before which something else stands, and what.
  const std::map<Uuid, std::string>& preceded() const { return preceded_; }
  bool empty() const { return retries_.empty(); }

 private:
  void note_ports(const Plan& plan, const Scope& scope, const datapath::Applied& applied, const Snapshot& snapshot);

  Loop& loop_;
  Again again_;
  std::set<Uuid> failing_;
  std::map<Uuid, std::string> preceded_;
  Retry retries_;
  Timer timer_;
};

}  // namespace midonet::agent
