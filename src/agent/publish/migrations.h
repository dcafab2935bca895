// Which ports are on their way between hosts (ADR 9): those whose guests are awaited here, and those that other hosts have taken
// over and that stay plugged here. For the log, and for the agent's status. On the loop's thread.
#pragma once

#include <map>

#include "agent/observe/snapshot.h"
#include "agent/plan/plan.h"
#include "base/metrics.h"
#include "base/uuid.h"

namespace midonet::agent {

class Migrations {
 public:
  explicit Migrations(Registry& registry);

  // What was planned for these bridges and ports.
  void note(const Plan& plan, const Scope& scope, const Snapshot& snapshot);

  const std::map<Uuid, LingeringPlan>& lingering() const { return lingering_; }
  const std::map<Uuid, Uuid>& standby() const { return standby_; }  // port -> host that has its guest

 private:
  Gauge gauge_;
  std::map<Uuid, LingeringPlan> lingering_;  // as last logged
  std::map<Uuid, Uuid> standby_;             // likewise
};

}  // namespace midonet::agent
