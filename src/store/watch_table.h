// The watches of one session on one kind of thing (nodes, or lists of children), by path. On the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/store.h"

namespace midonet::store {

class WatchTable {
 public:
  // `emptied(path)` is called by set() when it removed the last watch of a path, because its owner is gone.
  explicit WatchTable(std::function<void(const std::string& path)> emptied = {}) : emptied_(std::move(emptied)) {}

  // True: it is the first on this path. From time to time it removes watches whose owner is gone.
  bool set(const std::string& path, Notify notify);
  // Removes those on the path whose owner is gone. True: it removed some, and none is left there.
  bool release(const std::string& path);
  bool contains(const std::string& path) const { return watches_.contains(path); }
  // Takes out all that is set on the path, to be fired.
  std::vector<Notify> take(const std::string& path);
  // The same for all paths: the session was lost.
  std::vector<Notify> take_all();

 private:
  void drop_abandoned();

  std::function<void(const std::string&)> emptied_;
  std::unordered_map<std::string, std::vector<Notify>> watches_;
  std::size_t set_since_look_ = 0;
  std::size_t look_after_ = 0;
};

}  // namespace midonet::store
