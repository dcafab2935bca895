#include "store/recent.h"

#include <chrono>

namespace midonet::store {
namespace {

constexpr std::chrono::milliseconds moment(10);

}  // namespace

Recent::Recent(Loop& loop, Store& store, std::size_t capacity) : loop_(loop), store_(store), capacity_(capacity) {}

std::optional<Result<NodePtr>> Recent::get(const std::string& path) {
  const EntryPtr entry = ask(Kind::node, path);
  return store_.state() == State::connected ? entry->node : std::nullopt;
}

std::optional<Result<Recent::Names>> Recent::list(const std::string& path) {
  const EntryPtr entry = ask(Kind::names, path);
  return store_.state() == State::connected ? entry->names : std::nullopt;
}

Recent::EntryPtr Recent::ask(Kind kind, const std::string& path) {
  const Key key(kind, path);
  if (const auto known = places_.find(key); known != places_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
    return entries_.front();
  }
  entries_.push_front(std::make_shared<Entry>(Entry{key}));
  const EntryPtr entry = entries_.front();
  places_.emplace(key, entries_.begin());
  if (entries_.size() > capacity_) {
    places_.erase(entries_.back()->key);
    entries_.pop_back();
  }
  read_later(entry);
  return entry;
}

void Recent::read_later(const EntryPtr& entry) {
  changed_.push_back(entry);
  if (!timer_.armed()) timer_ = loop_.after(moment, [this] { read_changed(); });
}

void Recent::read_changed() {
  // The callbacks keep no entry: what was forgotten meanwhile, or has gone with all the others, hears of nothing.
  for (const std::weak_ptr<Entry>& weak : std::exchange(changed_, {})) {
    const EntryPtr entry = weak.lock();
    if (!entry) continue;
    Store::Notify notify(entry, [this, weak] {
      const EntryPtr changed = weak.lock();
      changed->node.reset();
      changed->names.reset();
      read_later(changed);
    });
    const auto& [kind, path] = entry->key;
    if (kind == Kind::node) {
      store_.get(
          path,
          [this, weak](Result<NodePtr> node) {
            if (const EntryPtr asked = weak.lock()) have(asked, asked->node, std::move(node));
          },
          std::move(notify));
    } else {
      store_.list(
          path,
          [this, weak](Result<Names> names) {
            if (const EntryPtr asked = weak.lock()) have(asked, asked->names, std::move(names));
          },
          std::move(notify));
    }
  }
}

// A store that could not answer has set no watch either: the entry goes, and is made anew when it is asked for.
template <class T>
void Recent::have(const EntryPtr& entry, std::optional<Result<T>>& known, Result<T> result) {
  if (result || result.error().code == Code::not_found) {
    known = std::move(result);
  } else {
    entries_.erase(places_.at(entry->key));
    places_.erase(entry->key);
  }
}

}  // namespace midonet::store
