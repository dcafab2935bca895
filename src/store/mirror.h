// A live copy of a part of the store, kept by watches. A reader function is run against it. The paths that it asked for in its last
// complete run (one that was not pending) are followed; all others are dropped. So the set of watches is never written down twice.
//
// A folder that is listed by list_told() may hold a hint (hint.h). A hint that came while the folder was followed stands in for
// those of its records that are still being read, until the next run of the reader has passed without asking for them.
//
// On the loop's thread. An event only means "look again": the node is read again and compared. `changed` is called (once for many
// changes, from the loop) when something that is followed differs from what the reader last saw, or was read for the first time.
// After a lost session everything that is followed is read again, and only differences count.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

class Mirror {
 public:
  Mirror(Loop& loop, Store& store, std::function<void()> changed);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // Runs `reader` once. It returns Code::pending when something it needs is not there yet (then `changed` comes later).
  // A store that does not answer leaves what was read before in place: the copy gets old, never empty.
  Status read(const std::function<Status(View&)>& reader);

  std::size_t followed() const;  // number of nodes and lists

  // How many reads are with the store at a time: enough to keep it busy. A start asks for tens of thousands at once, each of
  // which is some hundred bytes while the store has it.
  static constexpr std::size_t reads_at_once = 2048;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midonet::store
