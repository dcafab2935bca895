#include "store/zookeeper_watches.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace midonet::store {

namespace {

// Of the 1 MB that a packet may have. With a margin: watches whose owner is gone are in the packet, too.
constexpr std::size_t most_bytes = 800'000;

std::size_t bytes_of(const std::string& path) { return 4 + path.size(); }

void append(std::vector<Store::Notify>& all, std::vector<Store::Notify> more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

}  // namespace

void ZookeeperWatches::set(Of what, const std::string& path, Store::Notify notify) {
  if ((what == Of::children ? lists_ : nodes_).set(path, std::move(notify))) bytes_ += bytes_of(path);
}

std::vector<Store::Notify> ZookeeperWatches::take(ZookeeperEvent event, const std::string& path) {
  std::vector<Store::Notify> fired;
  const auto take_from = [&](WatchTable& watches) {
    auto taken = watches.take(path);
    if (!taken.empty()) forget_bytes(path);
    append(fired, std::move(taken));
  };
  if (event != ZookeeperEvent::child) take_from(nodes_);
  if (event != ZookeeperEvent::changed) take_from(lists_);
  return fired;
}

std::vector<Store::Notify> ZookeeperWatches::take_all() {
  bytes_ = 0;
  released_.clear();
  std::vector<Store::Notify> fired = nodes_.take_all();
  append(fired, lists_.take_all());
  return fired;
}

void ZookeeperWatches::release(const std::string& path) {
  released_.insert(path);
  released_something_();
}

std::vector<ZookeeperWatches::Removal> ZookeeperWatches::take_released(const std::set<std::string>& being_asked_for) {
  using Kind = ZookeeperHandle::WatchKind;
  std::vector<Removal> removals;
  for (const std::string& path : std::exchange(released_, {})) {
    if (being_asked_for.contains(path)) {
      released_.insert(path);
      continue;
    }
    for (WatchTable* table : {&nodes_, &lists_})
      if (table->release(path)) forget_bytes(path);
    if (lists_.contains(path)) continue;  // one of a list may be on the node, for its creation
    removals.push_back({path, nodes_.contains(path) ? Kind::child : Kind::any});
  }
  return removals;
}

bool ZookeeperWatches::fit_into_one_packet() const { return bytes_ <= most_bytes; }

void ZookeeperWatches::forget_bytes(const std::string& path) { bytes_ -= std::min(bytes_, bytes_of(path)); }

void ZookeeperWatches::emptied(const std::string& path) {
  forget_bytes(path);
  release(path);
}

}  // namespace midonet::store
