// A commit as ZooKeeper sees it: whether it fits into one packet, which operation was refused, and where its revision can be read when
// the answer does not have it. Pure functions; used by zookeeper_store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {

// As check_ops; also invalid: the root is removed; exhausted: more than ZooKeeper takes at once.
Status check_zookeeper_commit(const std::vector<Op>& ops, const std::string& root);

// The node that shows the revision of a commit when no operation's result has it.
struct CommitProbe {
  std::string path;
  bool created;  // it is that of the node's creation, else that of the last change of its list of children
};
// A node that the commit made and left; else the node under which it was the last to make or remove one, which is there
// after the commit. Nothing: the commit only checked.
std::optional<CommitProbe> commit_probe(const std::vector<Op>& ops);

// Changes nothing but the revision of the root's list of children.
std::vector<Op> commit_tick(const std::string& root);

// The first operation that was refused: those before it would have been done, those after it were not looked at.
Error commit_error(const std::vector<Op>& ops, const ZookeeperReply& reply);

}  // namespace midonet::store
