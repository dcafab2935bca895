// From what was planned and what the datapath answered to the status of each port that is bound here. On the loop's thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/observe/snapshot.h"
#include "agent/plan/plan.h"
#include "agent/publish/report.h"
#include "base/loop.h"
#include "base/result.h"
#include "datapath/datapath.h"

namespace midonet::agent {

// What became of the tunnel to other hosts, and of ports before which something else stands.
struct Standing {
  const std::optional<Overlay>& overlay;
  const Status& tunnel;
  const std::map<Uuid, std::string>& preceded;
};

class Statuses {
 public:
  using Steady = std::chrono::steady_clock;
  // How long records that contradict each other may stay so before it is reported.
  static constexpr std::chrono::milliseconds doubt_time{20};

  // `doubt_over` is called when ports that were in doubt are to be planned again; doubted() names them.
  Statuses(Loop& loop, Report& report, std::function<void()> doubt_over);

  // The ports whose status is different now in more than the time.
  std::vector<Uuid> say(const Plan& plan, const datapath::Applied& applied, const Standing& standing,
                        Steady::time_point now);
  // Of plan.lingering those whose binding alone was removed: they were in doubt for long enough.
  std::vector<Uuid> lost_bindings(const Plan& plan, Steady::time_point now);
  void unbound(const Uuid& port);

  std::vector<Uuid> doubted() const;
  bool in_doubt() const { return timer_.armed(); }

 private:
  model::PortStatus judge(const PortPlan& port, const datapath::Applied& applied, const Standing& standing) const;
  bool waits(const Uuid& port, store::Revision revision, Steady::time_point now);

  Loop& loop_;
  Report& report_;
  std::function<void()> doubt_over_;
  std::map<Uuid, std::pair<store::Revision, Steady::time_point>> doubts_;
  Timer timer_;
};

}  // namespace midonet::agent
