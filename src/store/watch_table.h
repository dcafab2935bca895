// The watches of one session on one kind of thing (nodes, or lists of children), by path. On the loop's thread.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/store.h"

namespace midonet::store {

class WatchTable {
 public:
  // True: it is the first on this path. Now and then lets go of those whose owner is gone.
  bool set(const std::string& path, Notify notify);
  // Takes out all that is set on the path, to be fired.
  std::vector<Notify> take(const std::string& path);
  // The same for all paths: the session was lost.
  std::vector<Notify> take_all();

 private:
  void drop_abandoned();

  std::unordered_map<std::string, std::vector<Notify>> watches_;
  std::size_t set_since_look_ = 0;
  std::size_t look_after_ = 0;
};

}  // namespace midonet::store
