// For tests and benchmarks: real ZooKeeper servers, Debian's, alone or as an ensemble, on a loopback address of this
// process's own and in a temporary directory. Servers and directory go with this object, and with the process, however that
// ends. Blocking, off the loop.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace midonet::store {

class ZookeeperServers {
 public:
  // The reason why there can be none on this machine, if so: tests then skip with it.
  static std::optional<std::string> missing();

  // Of the JVM: starts in a second and stays small. A server of a whole cloud is to get more, and the JVM's own choices.
  static const std::vector<std::string> quick;

  // Starts `count` servers and waits until they serve. A session may time out after as little as 2 `tick_ms`.
  explicit ZookeeperServers(std::size_t count = 1, int tick_ms = 100, std::vector<std::string> java_flags = quick);
  ~ZookeeperServers();
  ZookeeperServers(const ZookeeperServers&) = delete;
  ZookeeperServers& operator=(const ZookeeperServers&) = delete;

  // "127.1.2.3:40001,127.1.2.3:40002"
  std::string address() const;
  std::string uri(const std::string& root) const { return "zookeeper://" + address() + root; }
  std::size_t size() const { return servers_.size(); }
  const std::string& directory() const { return directory_; }

  void kill(std::size_t server);               // SIGKILL, and waits for its end
  void stop(std::size_t server);               // SIGSTOP: it keeps its connections and answers nothing
  void go_on(std::size_t server);              // SIGCONT
  void start(std::size_t server);              // after kill(), on the same data; does not wait
  std::string data(std::size_t server) const;  // its data directory, to be changed while it does not run
  // Until every server that runs serves, or so many seconds are over.
  [[nodiscard]] bool wait(int seconds = 90) const;
  std::size_t leader() const;  // of an ensemble that serves; size() when there is none

  // The answer to a four-letter word; empty when there is none in time.
  std::string ask(std::size_t server, const std::string& word, std::chrono::milliseconds patience) const;
  // The counters of `mntr`: "zk_watch_count", "zk_packets_received" …
  std::map<std::string, std::int64_t> counters(std::size_t server) const;
  // The output of the servers, to be shown when a test fails.
  std::string log(std::size_t server) const;

 private:
  struct Server {
    std::uint16_t client_port, peer_port, election_port;
    pid_t pid = -1;
    bool stopped = false;
  };
  std::string file(std::size_t server, const std::string& name) const;
  void configure(std::size_t server, int tick_ms) const;

  std::vector<std::string> java_flags_;
  std::string directory_;
  UniqueFd guard_;  // its end tells a process that removes the directory
  std::string host_;
  std::vector<Server> servers_;
};

}  // namespace midonet::store
