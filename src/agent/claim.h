// Which agent is that of its host. Two agents with one host id (a machine that was cloned with its files) would write over
// each other's statuses and plug each other's ports; the one whose session has the alive node acts, the other waits.
//
//   /hosts/<h>/alive      E {pid, version, started, place, hostName, addresses}: the agent that acts
//   /hosts/<h>/contender  E the same: an agent that waits, so that the one that acts says so, too
//
// `place` tells two agents apart: the boot of the machine and the lock of the run directory. A record of the same place is
// that of a process before this one, which has ended, since this one has the lock; its node is replaced. A record of another
// place is waited for until its session ends: then that agent has ended, or the machine has been started again. A record
// without a place was written by an older version, and is replaced.
//
// On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/liveness.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "model/host.h"
#include "store/store.h"

namespace midonet::agent {

// What an agent says of itself; an empty `place` contends with none.
struct AgentFacts {
  model::Alive alive;
  std::string place;
  std::string host_name;
  std::vector<std::string> addresses;

  std::string encode() const;
  static AgentFacts decode(const std::string& record);  // what cannot be read is empty
  std::string describe() const;  // "host1 (10.0.0.1, 10.0.1.1), process 4711, started 2026-01-31T12:00:00.000Z"
};

class Claim {
 public:
  struct Events {
    std::function<void()> won;        // at first, and after each lost()
    std::function<void()> disturbed;  // another process has removed or replaced the alive node meanwhile
  };
  Claim(Loop& loop, store::Store& store, const Uuid& host, AgentFacts self, Events events);
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  void start();
  // Whether the alive record of another session is that of an agent which is not to be replaced.
  bool is_rivals(const std::string& record) const;
  // Such a record was found where this agent's was to be written.
  void lost(const std::string& record);
  bool held() const { return held_; }
  const std::string& record() const { return record_; }
  // For the status: that this agent waits, and for which; or that another one does.
  std::vector<std::string> warnings() const;

 private:
  void look();
  void looked(const Result<store::NodePtr>& node);
  void win();
  void look_at_contender();
  store::Notify again(std::shared_ptr<const char>& owner, void (Claim::*then)());

  Loop& loop_;
  store::Store& store_;
  const Uuid host_;
  const std::string alive_path_, contender_path_;
  const AgentFacts self_;
  const std::string record_;
  Events events_;
  bool held_ = false;
  bool seen_ = false;  // the alive node, with this session's number
  std::optional<AgentFacts> rival_, contender_;
  std::shared_ptr<const char> alive_watch_, contender_watch_;
  Timer retry_;
  store::Store::Subscription subscription_;
  Liveness liveness_;
};

}  // namespace midonet::agent
