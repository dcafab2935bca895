// Nodes and lists of children that a process asked for lately, kept as the store says, by watches. For who may go on from what
// was so a moment ago, because the commit that follows finds out (Transaction::recall()): it spares the round of reads.
//
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

  // Follows as many nodes and lists, together; the one that nobody asked for the longest makes room.
  Recent(Loop& loop, Store& store, std::size_t capacity = 4096);
  Recent(const Recent&) = delete;
  Recent& operator=(const Recent&) = delete;

  // The node, or not_found; nothing where it is not known. From then on it is followed, so that it is known the next time.
  std::optional<Result<NodePtr>> get(const std::string& path);
  std::optional<Result<Names>> list(const std::string& path);

 private:
  enum class Kind { node, names };
  using Key = std::pair<Kind, std::string>;
  struct Entry {
    Key key;
    std::optional<Result<NodePtr>> node{};
    std::optional<Result<Names>> names{};
  };
  using EntryPtr = std::shared_ptr<Entry>;

  EntryPtr ask(Kind kind, const std::string& path);
  void read_later(const EntryPtr& entry);
  void read_changed();
  template <class T>
  void have(const EntryPtr& entry, std::optional<Result<T>>& known, Result<T> result);

  Loop& loop_;
  Store& store_;
  const std::size_t capacity_;
  std::list<EntryPtr> entries_;  // the one asked for last is the first; nobody else keeps one
  std::map<Key, std::list<EntryPtr>::iterator> places_;
  std::vector<std::weak_ptr<Entry>> changed_;  // to be read
  Timer timer_;
};

}  // namespace midonet::store
