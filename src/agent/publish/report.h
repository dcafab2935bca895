// What the agent says of its ports and of its host's interfaces, as levels: it is handed the whole, and passes on what is
// different. Statuses carry since when a state holds. Used by the agent; on the loop's thread; writing and its failures
// are Published's.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/publish/published.h"
#include "base/metrics.h"
#include "base/time.h"
#include "base/uuid.h"
#include "model/binding.h"
#include "model/host.h"
#include "netlink/link.h"

namespace midonet::agent {

using Clock = std::function<WallTime()>;

class Report {
 public:
  Report(Published& published, Registry& registry, const Uuid& host, Clock now);

  // `statuses` of all bound ports, `since` left empty; a port that is not named is unbound, its status goes. Returns the
  // ports whose status is different from before in more than the time.
  std::vector<Uuid> ports(std::map<Uuid, model::PortStatus> statuses);
  // A status that stood in the store: its time goes on when the port is still in this state, at this revision.
  void found(const std::string& path, const std::string& value);
  const std::map<Uuid, model::PortStatus>& current() const { return current_; }

  void interfaces(const netlink::LinkTable& links);
  // Interfaces whose names no path of a store can hold, a sentence each: they are not published, and can't be bound.
  const std::set<std::string>& unpublished() const { return unpublished_; }

 private:
  void count();

  Published& published_;
  Uuid host_;
  Clock now_;
  std::map<model::PortState, Gauge> gauges_;
  std::map<Uuid, model::PortStatus> current_;
  std::map<Uuid, model::PortStatus> earlier_;  // found, and not compared yet
  std::map<std::string, model::Interface> interfaces_;
  std::set<std::string> unpublished_;
};

// One interface in the words of the REST contract (Interface-v1).
model::Interface describe(const netlink::Link& link);

}  // namespace midonet::agent
