// Nodes and lists of children that a process had to do with lately, kept as the store says, by watches. For who may go on from what
// was so a moment ago, because the commit that follows finds out (Transaction::recall()): it spares the round of reads.
//
// Only what exists is followed, and no longer than it does: the watch of a node that never comes would stay with the servers
// for good. So follow what a commit has just shown to be there.
// What changed is unknown until it was read again, a moment later: whoever caused the change, and whoever waits for it, has the
// store to himself first. Nothing is known while the store is not connected. Of what the servers know and this session has
// not been told yet, nothing is known here either: nothing may rest on it that no commit checks.
//
// On the loop's thread.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

class Recent {
 public:
  using Names = std::vector<std::string>;

  // Follows as many nodes and lists, together; the one that nobody had to do with the longest makes room.
  Recent(Loop& loop, Store& store, std::size_t capacity = 4096);
  Recent(const Recent&) = delete;
  Recent& operator=(const Recent&) = delete;

  // From now on; it is known a moment later.
  void follow_node(const std::string& path) { follow({Kind::node, path}); }
  void follow_list(const std::string& path) { follow({Kind::names, path}); }

  // The node (null), its children's names (nothing) where that is not known.
  NodePtr get(const std::string& path);
  std::optional<Names> list(const std::string& path);

 private:
  enum class Kind { node, names };
  using Key = std::pair<Kind, std::string>;
  struct Entry {
    Key key;
    NodePtr node{};
    std::optional<Names> names{};
    bool changed = false;  // or gone
  };
  using EntryPtr = std::shared_ptr<Entry>;

  EntryPtr find(const Key& key);  // null: not followed
  void follow(const Key& key);
  void look_later(const EntryPtr& entry);
  void look();
  void read_if_there(const EntryPtr& entry);
  void read(const EntryPtr& entry);
  void forget(EntryPtr entry);

  Loop& loop_;
  Store& store_;
  const std::size_t capacity_;
  std::list<EntryPtr> entries_;  // the latest is the first; nobody else keeps one
  std::map<Key, std::list<EntryPtr>::iterator> places_;
  std::vector<std::weak_ptr<Entry>> to_look_at_;
  Timer timer_;
};

}  // namespace midonet::store
