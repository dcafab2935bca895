// Deletions that may be larger than one commit: a bridge with thousands of ports, a host that served thousands of bridges. ZooKeeper
// takes about 1 MB in one commit, and the commits of all other clients wait meanwhile.
//
// Such a verb is a step: it stages as much as fits into one commit and returns whether that was all. Each step leaves a consistent
// state (a smaller bridge), and the owner goes last. If a client adds something meanwhile, that is deleted as well, or the client gets
// the error that the owner has gone. A client that dies in between leaves a smaller object; a second request finishes the deletion.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/result.h"
#include "store/transaction.h"
#include "topology/lookup.h"

namespace midonet::topology {

enum class Progress { more, done };

using Step = std::function<Result<Progress>(store::Transaction&)>;

// One commit after the other until the step is done, or fails. If the object has gone after the first commit, another program finished
// the deletion: a success. On the loop's thread; `done` is called once, later.
void run_steps(store::Store& store, Step step, std::function<void(Status)> done);

// The room that one step has left. It counts nodes, not bytes: 400 paths of at most 200 bytes are 80 KB.
class Room {
 public:
  static constexpr std::size_t max_nodes = 400;

  explicit Room(std::size_t nodes = max_nodes) : left_(nodes) {}
  bool take(std::size_t nodes = 1) {
    if (left_ < nodes) return false;
    left_ -= nodes;
    return true;
  }

 private:
  std::size_t left_;
};

// There is no room for the rest. Pending reads come first, since otherwise nothing might have been staged.
Result<Progress> more(const Steps& steps);

// Stages the removal of a node with everything below it, leaves first, as far as there is room; an absent node is done.
Result<Progress> remove_tree(store::Transaction& t, const std::string& path, Room& room);

}  // namespace midonet::topology
