// How long an attach takes, stage by stage: from the binding seen to the word of the store that others can read what came of it.
// Also logs what is bound and unbound. On the loop's thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/observe/snapshot.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "model/binding.h"
#include "store/store.h"

namespace midonet::agent {

class AttachTimes {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AttachTimes(Registry& registry);

  // Stages of one reconcile, whatever it was for.
  void mirror(Clock::duration took) { observe(mirror_seconds_, took); }
  void plan(Clock::duration took) { observe(plan_seconds_, took); }
  void apply(Clock::duration took) { observe(apply_seconds_, took); }

  // A port is bound now, as seen at `seen`: begins to time what is new. Null: it is not bound any more.
  void bound(const Uuid& id, const BoundPort* port, Clock::time_point seen);
  // The port's status is said, and logged. The timing goes on only for a port that could be plugged at once: how long another
  // one takes is not ours. `offered`: other hosts will be told of it.
  void said(const Uuid& port, const model::PortStatus& status, const std::string& interface, bool offered,
            Clock::time_point now);
  // The store has the status that stands at this path.
  void written(const std::string& path);
  // The store has what other hosts read of the port.
  void offered(const Uuid& port, store::Revision revision);

 private:
  struct Attach {  // on its way to active
    store::Revision revision;
    Clock::time_point seen;
    std::optional<Clock::time_point> reported{};  // as active, and being written
  };

  // How long after the binding was seen, where that is being timed.
  std::optional<Clock::duration> take(const Uuid& port, const model::PortStatus& status, bool offered,
                                      Clock::time_point now);
  static void observe(Histogram& stage, Clock::duration took);

  Histogram mirror_seconds_, plan_seconds_, apply_seconds_, report_seconds_, total_seconds_, offer_seconds_;
  std::map<Uuid, store::Revision> bound_;  // as last logged
  std::map<Uuid, Attach> attaches_;
  std::map<Uuid, std::pair<store::Revision, Clock::time_point>> offering_since_;  // on their way to other hosts
};

}  // namespace midonet::agent
