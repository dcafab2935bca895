// A live copy of a part of the store, kept by watches. A reader function is run against it. The paths that it asked for in its last
// complete run (one that was not pending) are followed; all others are dropped. So the set of watches is never written down twice.
//
// A folder that is listed by list_told() may hold a hint (hint.h). A hint that came while the folder was followed stands in for
// those of its records that are still being read, until the next run of the folder's reader has passed without a use of it.
//
// What is large is read in parts: each part has a reader of its own, and what it asked for is followed for it. The mirror
// says which parts have changed, so that one change costs its part alone. A path is of one part: of the last that asked.
//
// On the loop's thread. An event only means "look again": the node is read again and compared. `changed` is called (once for many
// changes, from the loop) when something that is followed differs from what the reader last saw, or was read for the first time.
// After a lost session everything that is followed is read again, and only differences count.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/uuid.h"
#include "store/store.h"

namespace midonet::store {

class Mirror {
 public:
  // A name that the caller gives.
  struct Part {
    std::uint32_t kind = 0;
    Uuid id{};
    auto operator<=>(const Part&) const = default;
  };

  Mirror(Loop& loop, Store& store, std::function<void()> changed);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // Runs `reader` once. It returns Code::pending when something it needs is not there yet (then `changed` comes later).
  // A store that does not answer leaves what was read before in place: the copy gets old, never empty.
  Status read(const std::function<Status(View&)>& reader) { return read({}, reader); }
  // The same for one part. Not from within a reader.
  Status read(const Part& part, const std::function<Status(View&)>& reader);
  void drop(const Part& part);  // nothing of it is followed any more

  // The parts of which something is different from what their readers last saw, or was read for the first time.
  const std::set<Part>& changed() const;

  std::size_t followed() const;  // number of nodes and lists

  // How many reads are with the store at a time: enough to keep it busy. A start asks for tens of thousands at once; what is
  // written meanwhile waits for those before it.
  static constexpr std::size_t reads_at_once = 512;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midonet::store
