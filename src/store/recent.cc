#include "store/recent.h"

#include <chrono>

namespace midonet::store {
namespace {

constexpr std::chrono::milliseconds moment(10);

}  // namespace

Recent::Recent(Loop& loop, Store& store, std::size_t capacity) : loop_(loop), store_(store), capacity_(capacity) {}

NodePtr Recent::get(const std::string& path) {
  const EntryPtr entry = find({Kind::node, path});
  return entry && store_.state() == State::connected ? entry->node : nullptr;
}

std::optional<Recent::Names> Recent::list(const std::string& path) {
  const EntryPtr entry = find({Kind::names, path});
  return entry && store_.state() == State::connected ? entry->names : std::nullopt;
}

Recent::EntryPtr Recent::find(const Key& key) {
  const auto known = places_.find(key);
  if (known == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, known->second);
  return entries_.front();
}

void Recent::follow(const Key& key) {
  if (find(key)) return;
  entries_.push_front(std::make_shared<Entry>(Entry{key}));
  places_.emplace(key, entries_.begin());
  if (entries_.size() > capacity_) {
    forget(EntryPtr(entries_.back()));
  }
  look_later(entries_.front());
}

void Recent::look_later(const EntryPtr& entry) {
  to_look_at_.push_back(entry);
  if (!timer_.armed()) timer_ = loop_.after(moment, [this] { look(); });
}

void Recent::look() {
  for (const std::weak_ptr<Entry>& weak : std::exchange(to_look_at_, {})) {
    const EntryPtr entry = weak.lock();
    if (!entry) continue;
    std::exchange(entry->changed, false) ? read_if_there(entry) : read(entry);
  }
}

// The store's callbacks keep no entry: what was forgotten meanwhile, or has gone with all the others, hears of nothing.

void Recent::read_if_there(const EntryPtr& entry) {
  store_.get(entry->key.second, [this, weak = std::weak_ptr(entry)](const Result<NodePtr>& node) {
    EntryPtr changed = weak.lock();
    if (!changed) return;
    node ? read(changed) : forget(std::move(changed));
  });
}

void Recent::read(const EntryPtr& entry) {
  const std::weak_ptr<Entry> weak = entry;
  Store::Notify notify(entry, [this, weak] {
    const EntryPtr changed = weak.lock();
    changed->node.reset();
    changed->names.reset();
    changed->changed = true;
    look_later(changed);
  });
  const auto& [kind, path] = entry->key;
  if (kind == Kind::node) {
    store_.get(
        path,
        [this, weak](const Result<NodePtr>& node) {
          EntryPtr asked = weak.lock();
          if (!asked) return;
          node ? void(asked->node = *node) : forget(std::move(asked));
        },
        std::move(notify));
  } else {
    store_.list(
        path,
        [this, weak](const Result<Names>& names) {
          EntryPtr asked = weak.lock();
          if (!asked) return;
          names ? void(asked->names = *names) : forget(std::move(asked));
        },
        std::move(notify));
  }
}

void Recent::forget(EntryPtr entry) {
  const std::string path = entry->key.second;
  entries_.erase(places_.at(entry->key));
  places_.erase(entry->key);
  entry.reset();  // the owner of its watch
  store_.release(path);
}

}  // namespace midonet::store
