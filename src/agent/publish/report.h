// What the agent says of its ports and of its host's interfaces, as levels: it passes on what is different. Statuses carry
// since when a state holds. Used by the agent; on the loop's thread; writing and its failures are store::NodeWriter's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/metrics.h"
#include "base/time.h"
#include "base/uuid.h"
#include "model/binding.h"
#include "model/host.h"
#include "netlink/link.h"
#include "store/node_writer.h"

namespace midonet::agent {

using Clock = std::function<WallTime()>;

// The ephemeral nodes that an agent keeps in the store, the more urgent first.
enum class Rank : std::uint8_t { alive, status, interface };
inline store::NodeWriter::Kind ephemeral(Rank rank) {
  return {.rank = static_cast<unsigned>(rank), .life = store::NodeWriter::Life::ephemeral};
}

class Report {
 public:
  Report(store::NodeWriter& nodes, Registry& registry, const Uuid& host, Clock now);

  // `since` is left empty. True: the status is different from before in more than the time.
  bool port(const Uuid& id, model::PortStatus status);
  bool unbound(const Uuid& id);  // its status goes
  // A status that stood in the store: its time goes on when the port is still in this state, at this revision.
  void found(const std::string& path, const std::string& value);
  const std::map<Uuid, model::PortStatus>& current() const { return current_; }

  // Only what is different since the call before, of the same table.
  void interfaces(const netlink::LinkTable& links);
  // Interfaces whose names no path of a store can hold, a sentence each: they are not published, and can't be bound.
  const std::map<std::string, std::string>& unpublished() const { return unpublished_; }  // by their names

 private:
  void count(model::PortState state, int change);
  void interface(const std::string& name, const netlink::LinkTable& links);

  store::NodeWriter& nodes_;
  Uuid host_;
  Clock now_;
  std::map<model::PortState, std::pair<Gauge, int>> counts_;
  std::map<Uuid, model::PortStatus> current_;
  std::map<Uuid, model::PortStatus> earlier_;  // found, and not compared yet
  std::set<std::string> interfaces_;           // published
  std::optional<std::uint64_t> links_seen_;    // version of the table
  std::map<std::string, std::string> unpublished_;
};

// One interface in the words of the REST contract (Interface-v1).
model::Interface describe(const netlink::Link& link);

}  // namespace midonet::agent
