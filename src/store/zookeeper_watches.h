// The watches of a session with ZooKeeper, on nodes and on lists of children: which of them are set, which an event fires, and
// which the servers are to forget. Paths are the servers' own, with the root. Bookkeeping alone: it asks no server.
//
// On the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "store/store.h"
#include "store/watch_table.h"
#include "store/zookeeper_handle.h"

namespace midonet::store {

class ZookeeperWatches {
 public:
  enum class Of { node, children };
  struct Removal {
    std::string path;
    ZookeeperHandle::WatchKind kind;
  };

  // `released` is called when there is something for take_released() to look at.
  explicit ZookeeperWatches(std::function<void()> released) : released_something_(std::move(released)) {}

  void set(Of what, const std::string& path, Store::Notify notify);
  // Those that the event fires, which are set no more.
  std::vector<Store::Notify> take(ZookeeperEvent event, const std::string& path);
  // All: the session was lost.
  std::vector<Store::Notify> take_all();

  // An owner may be gone, so that the servers may forget the path.
  void release(const std::string& path);
  // What they are to forget now. A path that is being asked for waits: for a server, a watch that is on its way is one with those
  // that are set, and would go along with them.
  std::vector<Removal> take_released(const std::set<std::string>& being_asked_for);
  // A removal that did not reach a server: the library sets the watch again with the next one.
  void keep_released(const std::string& path) { released_.insert(path); }

  // Whether the library could set all of them again with another server. It does so in one packet; a server closes the connection
  // for one that is too large, each time.
  bool fit_into_one_packet() const;

 private:
  void forget_bytes(const std::string& path);
  void emptied(const std::string& path);

  std::function<void()> released_something_;
  WatchTable nodes_{[this](const std::string& path) { emptied(path); }};
  WatchTable lists_{[this](const std::string& path) { emptied(path); }};
  std::set<std::string> released_;
  std::size_t bytes_ = 0;  // of that packet
};

}  // namespace midonet::store
