// The value of --store: "embedded:/var/lib/midolman/midonet.db" (or "embedded::memory:" for tests) or
// "zookeeper://h1:2181,h2:2181/midonet".
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

struct OpenOptions {
  // The wait for a store that does not answer, or for an embedded file that another process has. Zero: one attempt, which is a second
  // for servers. With ZooKeeper also the wait of each later call while no server answers.
  std::chrono::milliseconds patience{10'000};
  // An embedded store that lost records goes on with those that are left.
  bool accept_loss = false;
  // The rest is for ZooKeeper alone.
  std::chrono::milliseconds session_timeout{10'000};
  // Where the session's id and password are kept, readable by root alone, so that the next process resumes it; the
  // session then outlives this process until its time-out. Empty: the session is this object's and ends with it.
  std::string session_file{};
  // What the session belongs to, one line that is kept in the file: a session of another one is not resumed.
  std::string session_owner{};
  // A file whose one line is the secret "user:password" of the digest ACL. Empty: nodes are open to every client.
  std::string secret_file{};
  // Called on the loop's thread with the addresses of the servers, in ascending order, each time that names were looked up.
  std::function<void(const std::vector<Ip>&)> on_servers{};
};

// A store whose layout has not been checked (layout.h does). This waits for an embedded file as open() does, but not for ZooKeeper: the
// store may answer later (Store::on_state), for programs that must start during an outage.
Result<std::unique_ptr<Store>> connect(Loop& loop, const std::string& uri, const OpenOptions& options);

// Opens the store and makes sure of its layout (the version node and the top-level folders). Errors: unavailable (it does not answer, or
// the embedded file is in use for longer than the patience; the message names the process that has it), invalid (no known URI),
// conflict (a layout that this program cannot read). Called while the loop is not running: it runs the loop until the store has
// answered.
Result<std::unique_ptr<Store>> open(Loop& loop, const std::string& uri, const OpenOptions& options);

}  // namespace midonet::store
