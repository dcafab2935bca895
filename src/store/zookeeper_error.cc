#include "store/zookeeper_error.h"

#include <zookeeper/zookeeper.h>

namespace midonet::store {
namespace {

constexpr std::string_view no_auth =
    "ZooKeeper does not allow it to this client: the node belongs to another identity; give the secret that the store "
    "was made with (--zookeeper-secret-file)";

Code zookeeper_code(int rc) {
  switch (rc) {
    case ZNONODE: return Code::not_found;
    case ZNODEEXISTS:
    case ZBADVERSION:
    case ZNOTEMPTY: return Code::conflict;
    case ZNOCHILDRENFOREPHEMERALS:
    case ZBADARGUMENTS: return Code::invalid;
    case ZNOAUTH: return Code::forbidden;
    case ZAUTHFAILED:
    case ZSESSIONCLOSEDREQUIRESASLAUTH: return Code::unauthenticated;
    case ZTHROTTLEDOP: return Code::unavailable;
    default: return is_lost(rc) ? Code::unavailable : Code::internal;
  }
}

std::string_view verb(Op::Kind kind) {
  switch (kind) {
    case Op::Kind::create:
    case Op::Kind::create_ephemeral: return "create";
    case Op::Kind::set: return "set";
    case Op::Kind::remove: return "remove";
    case Op::Kind::check: return "check";
  }
  return "?";
}

std::string reason(int rc, const Op& op) {
  const bool create = op.kind == Op::Kind::create || op.kind == Op::Kind::create_ephemeral;
  switch (rc) {
    case ZNONODE: return create ? "its parent does not exist" : "it does not exist";
    case ZNODEEXISTS: return "it exists already";
    case ZBADVERSION: return fmt::format("it is not at version {}", op.version);
    case ZNOTEMPTY: return "it has children";
    case ZNOCHILDRENFOREPHEMERALS: return "its parent is ephemeral and can have no children";
    case ZNOAUTH: return std::string(no_auth);
    default: return rc_text(rc);
  }
}

}  // namespace

bool is_lost(int rc) {
  return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZSESSIONEXPIRED || rc == ZSESSIONMOVED ||
         rc == ZCLOSING || rc == ZINVALIDSTATE || rc == ZAUTHFAILED;
}

Error read_error(int rc, std::string_view path) {
  if (rc == ZNONODE) return {Code::not_found, fmt::format("node {} does not exist", path)};
  if (rc == ZNOAUTH) return {Code::forbidden, fmt::format("node {}: {}", path, no_auth)};
  return {zookeeper_code(rc), fmt::format("node {}: {}", path, rc_text(rc))};
}

Error op_error(int rc, const Op& op) {
  return {zookeeper_code(rc), fmt::format("{} {}: {}", verb(op.kind), op.path, reason(rc, op))};
}

std::string rc_text(int rc) { return fmt::format("{} ({})", zerror(rc), rc); }

}  // namespace midonet::store
