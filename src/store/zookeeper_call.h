// The state of one call, or of one event of a watch, in a ZookeeperStore, from its beginning until its user has been called back.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {

struct ZookeeperCall {
  enum class Kind { get, list, commit, event };
  enum class Stage {
    waiting,   // for a connection, or for a place among those in flight
    asked,     // the servers were asked
    answered,  // by them or by us; its user is called back in its turn
  };
  enum class Then { nothing, arm, fire };  // with its watch

  Kind kind;
  std::uint64_t number = 0;
  Stage stage = Stage::waiting;
  // The servers' first answer came: later events are passed on later.
  bool heard = false;
  // Counts the times it was asked, so that answers to an earlier time are known.
  std::uint32_t attempt = 0;
  std::chrono::steady_clock::time_point deadline{};

  std::string path{};  // below our root; an event's is the servers' own
  Store::GetDone get_done{};
  Store::ListDone list_done{};
  Store::Notify watch{};
  Then then = Then::nothing;
  std::optional<Result<NodePtr>> node{};
  std::optional<Result<std::vector<std::string>>> names{};

  std::vector<Op> ops{};
  Store::CommitDone commit_done{};
  bool committed = false;  // only its revision is not known yet
  bool ticked = false;     // and the node that would show it is gone
  std::optional<Result<Revision>> revision{};

  ZookeeperEvent event{};
};
using CallPtr = std::shared_ptr<ZookeeperCall>;

}  // namespace midonet::store
