// The connection to a ZooKeeper ensemble while a store is open. It looks for the servers, and keeps a session and a connection to one of
// them. It finds another server when the connection is lost, and a new session when the old one has ended, each with growing delays.
// zookeeper_calls.h has the calls, and repeats them at the next server.
//
//   look up names ─► handle ─► up ◄─► down          (another server is found: the same session and watches)
//        ▲                      └─► dropped ─┐      (the session has ended, or the handle is to be renewed)
//        └───────────── later ◄──────────────┘
//
// While it is down, names are looked up again with growing delays, since a server may come back at another address. When it has
// been down for longer than the session timeout, the handle is renewed. A handle remembers the last transaction that it saw, and servers
// whose data was lost or restored from a backup refuse it for good. They accept a new handle. The earlier data is then in doubt, so
// everything counts as another session's.
//
// On the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/loop.h"
#include "store/uri.h"
#include "store/zookeeper_address.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {

class ZookeeperConnection : public std::enable_shared_from_this<ZookeeperConnection> {
 public:
  // Any of them may end the connection, or let go of it.
  struct Listener {
    // Calls are answered. `another`: the session is not the one before, or the data may not be; `watches_gone`: the session
    // is the same, and has lost its watches.
    std::function<void(bool another, bool watches_gone)> up;
    // Calls under way fail; the library is looking for another server, and sets all watches again there.
    std::function<void()> down;
    // The handle is gone, with its calls under way and their callbacks. There will be another one.
    std::function<void()> dropped;
    std::function<void(ZookeeperEvent, const std::string& path)> event;
  };
  // `resumed`: the session of an earlier process, to go on with if it is still there.
  ZookeeperConnection(Loop& loop, const ZookeeperAddress& address, const OpenOptions& options, std::string secret,
                      ZookeeperSession resumed, Listener listener);

  void start();
  void end();  // no callback runs any more; a session with a file is left to the next process
  // The same session on a new handle, without its watches: there are too many to be set again.
  void renew();

  bool up() const { return up_; }
  ZookeeperHandle& handle() { return *handle_; }  // while it is up
  std::int64_t session() const { return session_.id; }
  const std::string& problem() const { return problem_; }  // what went wrong last on the way to a connection

 private:
  void look_for_servers();
  std::vector<std::string> in_order(std::vector<std::string> servers);
  Status open_handle();
  void drop_handle();
  void begin_anew();
  void recheck_later();
  void recheck();
  void use_addresses(std::vector<std::string> servers);
  void found_servers(std::vector<std::string> servers);
  void try_later();
  void watch_attempts();
  void look_later();
  void look_at_attempt();
  void on_connection(ZookeeperHandle::Connection connection);
  void on_up();
  void on_down();
  void on_expired();
  void save_session();

  // An attempt at a connection that has lasted from one look at it to the next is given up. The library itself waits for two thirds of
  // the session timeout, and some attempts last so long. A ZooKeeper 3.8 server that is alone and starting accepts connections before
  // it has its database, fails when it turns them away, and leaves them open without an answer. A machine that is gone does not
  // refuse, either. A server that is tried again gets three times as long: it may only be slow.
  static constexpr std::chrono::milliseconds first_look{1000};

  Loop& loop_;
  const ZookeeperAddress address_;
  const OpenOptions options_;
  const std::string secret_;
  const Listener listener_;
  bool ended_ = false;

  std::unique_ptr<ZookeeperHandle> handle_;
  bool up_ = false;            // the handle is connected
  bool fresh_handle_ = false;  // and was not before
  ZookeeperSession resumed_;   // an earlier process's, until it is known whether it can be resumed
  ZookeeperSession session_;
  bool session_over_ = false;  // session_ has expired
  bool watches_gone_ = false;  // the session lives on, without its watches
  std::string problem_;
  std::shared_ptr<void> lookup_;
  Timer retry_;
  // Between handles: a new session, or another look for servers' names.
  Backoff delay_{std::chrono::milliseconds(100), std::chrono::milliseconds(10'000)};
  std::vector<std::string> servers_;  // their addresses, since the last lookup
  Timer recheck_timer_;               // while there is no connection
  // Between looks at names and at how long there has been no connection.
  Backoff recheck_delay_{std::chrono::milliseconds(1'000), std::chrono::milliseconds(10'000)};
  std::optional<std::chrono::steady_clock::time_point> lost_at_;  // this handle's connection
  bool data_in_doubt_ = false;  // another handle was refused, or got no answer, for longer than the session lasts
  Timer attempt_;
  std::chrono::milliseconds look_ = first_look;
  bool attempting_ = false;               // at the last look
  std::set<std::string> silent_servers_;  // since there was a connection, and each had as long as look_ says
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace midonet::store
