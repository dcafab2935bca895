#include "store/watch_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace midonet::store {
namespace {

// After how many new watches, at least, those are looked for whose owner is gone. More when there are more, so that the
// search costs each watch the same.
constexpr std::size_t least_look = 64;

// Moves those whose owner is gone to `dropped`.
void move_abandoned(std::vector<Notify>& set, std::vector<Notify>& dropped) {
  const auto gone = std::stable_partition(set.begin(), set.end(), [](const auto& n) { return !n.abandoned(); });
  std::move(gone, set.end(), std::back_inserter(dropped));
  set.erase(gone, set.end());
}

}  // namespace

bool WatchTable::set(const std::string& path, Notify notify) {
  std::vector<Notify>& set = watches_[path];
  set.push_back(std::move(notify));
  const bool first = set.size() == 1;
  if (++set_since_look_ >= std::max(least_look, look_after_)) drop_abandoned();
  return first;
}

std::vector<Notify> WatchTable::take(const std::string& path) {
  const auto found = watches_.find(path);
  if (found == watches_.end()) return {};
  std::vector<Notify> taken = std::move(found->second);
  watches_.erase(found);
  return taken;
}

std::vector<Notify> WatchTable::take_all() {
  std::vector<Notify> taken;
  for (auto& [path, set] : std::exchange(watches_, {})) std::move(set.begin(), set.end(), std::back_inserter(taken));
  return taken;
}

bool WatchTable::release(const std::string& path) {
  const auto found = watches_.find(path);
  if (found == watches_.end()) return false;
  std::vector<Notify> dropped;  // destroyed last: what they own may call back
  move_abandoned(found->second, dropped);
  if (!found->second.empty()) return false;
  watches_.erase(found);
  return true;
}

void WatchTable::drop_abandoned() {
  std::vector<Notify> dropped;  // destroyed last: what they own may call back
  std::vector<std::string> emptied;
  std::size_t left = 0;
  for (auto it = watches_.begin(); it != watches_.end();) {
    move_abandoned(it->second, dropped);
    left += it->second.size();
    if (!it->second.empty()) {
      ++it;
      continue;
    }
    if (emptied_) emptied.push_back(it->first);
    it = watches_.erase(it);
  }
  set_since_look_ = 0;
  look_after_ = left;
  for (const std::string& path : emptied) emptied_(path);
}

}  // namespace midonet::store
