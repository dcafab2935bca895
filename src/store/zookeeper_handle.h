// One handle of ZooKeeper's C library: a session and its connection, with asynchronous calls. It knows neither the purpose of calls, nor
// retries, nor the order of callbacks: zookeeper_calls.h does.
//
// On the loop's thread. The library has two threads of its own behind each handle. In them our code makes a value of each message and
// posts it to the loop, nothing else. So the loop gets everything in the order in which the server sent it: answers, events of watches,
// and changes of the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

// What identifies a session to the servers.
struct ZookeeperSession {
  std::int64_t id = 0;     // 0: none, make one
  std::string password{};  // 16 bytes
  bool operator==(const ZookeeperSession&) const = default;
};

struct ZookeeperReply {
  int rc = 0;  // of the library: ZOK or one of enum ZOO_ERRORS
  std::string value{};
  std::vector<std::string> names{};
  Stat stat{};
  Revision children_modified = 0;  // of the commit that last added or removed a child ("pzxid")
  // Of a multi.
  std::vector<int> op_rcs{};
  Revision revision = 0;  // 0: no operation of this multi tells it
};

enum class ZookeeperEvent { created, deleted, changed, child };

class ZookeeperHandle {
 public:
  enum class Connection {
    up,           // calls are answered; session() is known
    down,         // what was under way fails with ZCONNECTIONLOSS; the library is looking for another server
    expired,      // the session has ended: this handle is of no more use
    auth_failed,  // the same, because the server did not accept the secret
  };
  struct Listener {
    std::function<void(Connection)> connection;
    std::function<void(ZookeeperEvent, const std::string& path)> event;
  };
  using Done = std::function<void(ZookeeperReply)>;
  enum class Watch { no, yes };
  enum class WatchKind { child, any };

  // `servers`: "192.0.2.1:2181", "2001:db8::1:2181", addresses only, so that nothing is looked up in a name service; the
  // library connects to the first, and to the next when that fails. `secret`: "user:password", or empty.
  static Result<std::unique_ptr<ZookeeperHandle>> open(Loop& loop, const std::vector<std::string>& servers,
                                                       std::chrono::milliseconds session_timeout,
                                                       const ZookeeperSession& resumed, const std::string& secret,
                                                       Listener listener);
  // Ends the session, if connected, and everything else; no callback runs any more. Blocks for as long as the server
  // takes to confirm the end, 1.5 s at most.
  ~ZookeeperHandle();
  // Drops the connection that is being made, if any, and goes on at once with these servers, in this order. Session and
  // watches stay what they are.
  void try_anew(const std::vector<std::string>& servers);
  // Before the destructor: do not end the session, since the next process resumes it.
  void leave_session();

  // Calls take effect in the order they are made and are answered in that order. Paths are the servers' own.
  void get(const std::string& path, Watch watch, Done done);
  void exists(const std::string& path, Watch watch, Done done);
  void children(const std::string& path, Watch watch, Done done);
  // Makes one durable node.
  void create(const std::string& path, Done done);
  void multi(std::vector<Op> ops, Done done);
  // Removes every watch of this handle on the path, with the server and here. ZNOWATCHER: there was none, or it fired.
  void remove_watches(const std::string& path, WatchKind kind, Done done);
  // Later reads are at least as new as every answer that any server had given before this call.
  void sync(const std::string& path, Done done);

  ZookeeperSession session() const;
  std::chrono::milliseconds session_timeout() const;  // as the server granted it
  std::string server() const;                         // the one connected to, or being tried
  // A connection is being made, or has been and the server has not said yet whether there is a session. False also while
  // the library waits before the next attempt.
  bool attempting() const;

 private:
  class Impl;
  explicit ZookeeperHandle(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace midonet::store
