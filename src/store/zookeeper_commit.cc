#include "store/zookeeper_commit.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "store/ops.h"
#include "store/path.h"
#include "store/zookeeper_error.h"

namespace midonet::store {
namespace {

// The servers' jute.maxbuffer is 1,048,575 unless configured; they close the connection that a larger packet came on.
constexpr std::size_t max_packet_bytes = 1'048'575 - 64;
// What each operation takes in a packet beside path and value, at most.
constexpr std::size_t op_bytes = 48;

std::size_t packet_bytes(const std::vector<Op>& ops, const std::string& root) {
  std::size_t bytes = 0;
  for (const Op& op : ops) bytes += op_bytes + root.size() + op.path.size() + op.value.size();
  return bytes;
}

}  // namespace

Status check_zookeeper_commit(const std::vector<Op>& ops, const std::string& root) {
  if (auto possible = check_ops(ops); !possible) return possible;
  for (const Op& op : ops) {
    if (op.kind == Op::Kind::remove && op.path == "/") {
      return fail(Code::invalid, "remove /: the root cannot be removed");
    }
  }
  if (const std::size_t bytes = packet_bytes(ops, root); bytes > max_packet_bytes) {
    return fail(Code::exhausted,
                "commit of {} operations, the first on {}: {} bytes, more than the {} that ZooKeeper takes at once",
                ops.size(), ops.front().path, bytes, max_packet_bytes);
  }
  return {};
}

std::optional<CommitProbe> commit_probe(const std::vector<Op>& ops) {
  std::set<std::string_view> removed;
  std::optional<CommitProbe> parent;
  for (auto op = ops.rbegin(); op != ops.rend(); ++op) {
    const bool create = op->kind == Op::Kind::create || op->kind == Op::Kind::create_ephemeral;
    if (create && !removed.contains(op->path)) return CommitProbe{op->path, true};
    if (op->kind == Op::Kind::remove) removed.insert(op->path);
    if ((create || op->kind == Op::Kind::remove) && !parent)
      parent = CommitProbe{std::string(parent_of(op->path)), false};
  }
  return parent;
}

std::vector<Op> commit_tick(const std::string& root) {
  const std::string path = root + "/.revision";
  return {Op::create(path, ""), Op::remove(path)};
}

Error commit_error(const std::vector<Op>& ops, const ZookeeperReply& reply) {
  for (std::size_t i = 0; i < std::min(ops.size(), reply.op_rcs.size()); ++i) {
    const int rc = reply.op_rcs[i];
    if (rc != ZOK && rc != ZRUNTIMEINCONSISTENCY) return op_error(rc, ops[i]);
  }
  return op_error(reply.rc, ops.front());
}

}  // namespace midonet::store
