#include "store/mirror.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/backoff.h"
#include "store/hint.h"

namespace midonet::store {
namespace {

using Names = std::vector<std::string>;

constexpr std::chrono::milliseconds first_retry(100);
constexpr std::chrono::milliseconds last_retry(5000);

// One node or one list of children that is, or was, followed.
template <class T>
struct Entry {
  explicit Entry(std::string_view p) : path(p) {}

  const std::string path;
  std::optional<Result<T>> value;  // as last read
  std::uint64_t asked = 0;         // in which run of the reader
  bool followed = false;           // one that is not is kept only until its read comes back
  // Owns the watch that is set, or will be with the read that is under way. Null: there is none that counts.
  std::shared_ptr<const char> watch;
  bool reading = false;
  bool again = false;   // an event came while it was being read
  bool failed = false;  // the store did not answer the last read
  bool tells = false;   // a folder whose value counts as a hint alone
};
template <class T>
using EntryPtr = std::shared_ptr<Entry<T>>;
// Keyed by the entry's own path.
template <class T>
using Table = std::unordered_map<std::string_view, EntryPtr<T>>;

bool same(const Result<NodePtr>& a, const Result<NodePtr>& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? (*a)->stat == (*b)->stat && (*a)->value == (*b)->value : a.error().code == b.error().code;
}
bool same(const Result<Names>& a, const Result<Names>& b) {
  if (a.has_value() != b.has_value()) return false;
  return a ? *a == *b : a.error().code == b.error().code;
}

// Whether this is what the store has to say, not that it could not answer.
template <class T>
bool is_answer(const Result<T>& result) {
  return result || result.error().code == Code::not_found || result.error().code == Code::invalid;
}

}  // namespace

class Mirror::Impl : public View, public std::enable_shared_from_this<Mirror::Impl> {
 public:
  Impl(Loop& loop, Store& store, std::function<void()> changed)
      : loop_(loop), store_(store), changed_(std::move(changed)) {}

  void start() {
    subscription_ = store_.on_state([weak = weak_from_this()](State state) {
      if (const auto self = weak.lock()) self->on_state(state);
    });
  }

  Status read(const std::function<Status(View&)>& reader) {
    ++run_;
    asked_ = 0;
    dirty_ = notify_due_ = false;
    Status outcome = reader(*this);
    // A reader that waits for something may have stopped before it asked for everything.
    const bool complete = outcome || outcome.error().code != Code::pending;
    drop_hints();
    if (complete && asked_ != followed_) {
      drop_what_was_not_asked_for(nodes_);
      drop_what_was_not_asked_for(lists_);
    }
    return outcome;
  }

  Result<NodePtr> get(const std::string& path) override { return ask(nodes_, path); }
  Result<Names> list(const std::string& path) override { return ask(lists_, path); }
  Result<Names> list_told(const std::string& path) override {
    static_cast<void>(ask(nodes_, path));
    nodes_.find(path)->second->tells = true;
    return list(path);
  }
  std::size_t followed() const { return followed_; }

 private:
  template <class T>
  Table<T>& table() {
    if constexpr (std::is_same_v<T, NodePtr>) {
      return nodes_;
    } else {
      return lists_;
    }
  }

  template <class T>
  Result<T> ask(Table<T>& table, const std::string& path) {
    auto found = table.find(path);
    if (found == table.end()) {
      auto entry = std::make_shared<Entry<T>>(path);
      const std::string_view key = entry->path;
      found = table.emplace(key, std::move(entry)).first;
    }
    Entry<T>& entry = *found->second;
    if (entry.asked != run_) {
      entry.asked = run_;
      ++asked_;
    }
    if (!entry.followed) {
      entry.followed = true;
      ++followed_;
      if (!entry.reading) fetch(found->second);
    }
    if (entry.value) return *entry.value;
    if constexpr (std::is_same_v<T, NodePtr>) {
      if (const auto hint = hints_.find(path); hint != hints_.end()) return hint->second;
    }
    return fail(Code::pending, "{} is being read", path);
  }

  template <class T>
  void fetch(const EntryPtr<T>& entry) {
    entry->reading = true;
    entry->again = false;
    ++issued_;
    if (issued_ - answered_ > reads_at_once) {
      waiting_.emplace_back(entry);
    } else {
      send(entry);
    }
  }

  template <class T>
  void send(const EntryPtr<T>& entry) {
    Store::Notify notify;
    std::weak_ptr<const char> set;  // by this read
    if (!entry->watch) {
      entry->watch = std::make_shared<const char>();
      set = entry->watch;
      // The entry owns the watch, so the watch must not own the entry.
      notify = Store::Notify(set, [weak = weak_from_this(), changed = std::weak_ptr(entry)] {
        const auto self = weak.lock();
        const auto at = changed.lock();
        if (self && at) self->on_event(at);
      });
    }
    auto done = [weak = weak_from_this(), entry, set](Result<T> result) {
      if (const auto self = weak.lock()) self->on_answer(entry, set, std::move(result));
    };
    if constexpr (std::is_same_v<T, NodePtr>) {
      store_.get(entry->path, std::move(done), std::move(notify));
    } else {
      store_.list(entry->path, std::move(done), std::move(notify));
    }
  }

  template <class T>
  void on_answer(const EntryPtr<T>& entry, const std::weak_ptr<const char>& set, Result<T> result) {
    entry->reading = false;
    ++answered_;
    if (!waiting_.empty()) {
      const auto next = std::move(waiting_.front());
      waiting_.pop_front();
      std::visit([this](const auto& waiting) { this->send(waiting); }, next);
    }
    const bool answer = is_answer(result);
    // With an answer comes a watch, unless the path is one that cannot be.
    const bool watched = answer && (result || result.error().code == Code::not_found);
    const auto owner = set.lock();
    if (!watched && owner && owner == entry->watch) entry->watch.reset();
    if (!entry->followed) {
      drop(entry);
    } else {
      entry->failed = !answer;
      if (!answer) retry_later();
      // What was read before outlives a store that does not answer.
      const bool replaces = answer || !entry->value || !is_answer(*entry->value);
      if (replaces && (!entry->value || !same(*entry->value, result))) take(*entry, std::move(result));
      if (answer) backoff_.reset();
      if (entry->again) fetch(entry);
    }
    notify_if_due();
  }

  template <class T>
  void take(Entry<T>& entry, Result<T> result) {
    bool news = true;
    if constexpr (std::is_same_v<T, NodePtr>) {
      const auto hint = hints_.find(entry.path);
      if (hint != hints_.end()) {
        news = entry.value || !result || (*result)->stat.modified != hint->second->stat.modified ||
               (*result)->value != hint->second->value;
        hints_.erase(hint);
      }
      // A hint that was there before the folder was followed may be about what is long over.
      if (entry.tells && entry.value && *entry.value && result) hear(**result);
      if (entry.tells) news = false;
    }
    entry.value = std::move(result);
    if (news) note_change();
  }

  void hear(const Node& folder) {
    for (auto& [path, record] : decode_hint(folder.value)) {
      const auto entry = nodes_.find(path);
      const bool asked = entry != nodes_.end() && entry->second->followed;
      if (asked && entry->second->value) continue;
      hints_.insert_or_assign(
          path, std::make_shared<const Node>(Node{record, {folder.stat.modified, folder.stat.modified, 0, 0}}));
      if (asked) note_change();
    }
  }

  void drop_hints() {
    std::erase_if(hints_, [this](const auto& hint) {
      const auto entry = nodes_.find(hint.first);
      return entry == nodes_.end() || !entry->second->followed || entry->second->value;
    });
  }

  template <class T>
  void on_event(const EntryPtr<T>& entry) {
    entry->watch.reset();
    look_again(entry);
  }

  template <class T>
  void look_again(const EntryPtr<T>& entry) {
    if (entry->reading) {
      entry->again = true;
    } else if (entry->followed) {
      fetch(entry);
    }
  }

  // Not followed, and not being read: it goes, with its watch.
  template <class T>
  void drop(const EntryPtr<T>& entry) {
    const EntryPtr<T> keep = entry;  // NOLINT(performance-unnecessary-copy-initialization): the table may own `entry`
    table<T>().erase(keep->path);
    if (std::exchange(keep->watch, nullptr)) store_.release(keep->path);
  }

  template <class T>
  void drop_what_was_not_asked_for(Table<T>& table) {
    std::vector<EntryPtr<T>> dropped;
    for (const auto& [path, entry] : table) {
      if (!entry->followed || entry->asked == run_) continue;
      entry->followed = entry->failed = false;
      entry->value.reset();
      --followed_;
      if (!entry->reading) dropped.push_back(entry);
    }
    for (const EntryPtr<T>& entry : dropped) drop(entry);
  }

  void on_state(State state) {
    if (state == State::disconnected) return;
    retry_.cancel();
    backoff_.reset();
    if (state == State::new_session) {
      disarm_and_look_again(nodes_);
      disarm_and_look_again(lists_);
    } else {
      retry(nodes_);
      retry(lists_);
    }
  }

  template <class T>
  void disarm_and_look_again(const Table<T>& table) {
    for (const EntryPtr<T>& entry : entries(table)) {
      entry->watch.reset();
      look_again(entry);
    }
  }

  // A copy: what is done with the entries may remove some.
  template <class T>
  static std::vector<EntryPtr<T>> entries(const Table<T>& table) {
    std::vector<EntryPtr<T>> all;
    all.reserve(table.size());
    for (const auto& [path, entry] : table) all.push_back(entry);
    return all;
  }

  void retry_later() {
    if (retry_.armed()) return;
    retry_ = loop_.after(backoff_.next(), [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->retry(self->nodes_);
      self->retry(self->lists_);
    });
  }

  template <class T>
  void retry(const Table<T>& table) {
    for (const auto& [path, entry] : table) {
      if (entry->failed && !entry->reading) fetch(entry);
    }
  }

  // `changed` waits for the reads that are under way already (they are answered in order), so that the reader runs once for a thousand
  // of them. It does not wait for later reads, so that a store that never rests does not delay it.
  void note_change() {
    dirty_ = true;
    if (notify_due_) return;
    notify_due_ = true;
    notify_after_ = issued_;
  }

  void notify_if_due() {
    if (!notify_due_ || answered_ < notify_after_) return;
    notify_due_ = false;
    if (std::exchange(posted_, true)) return;
    loop_.post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->posted_ = false;
      // The reader may have run meanwhile, and seen it all.
      if (std::exchange(self->dirty_, false)) self->changed_();
    });
  }

  Loop& loop_;
  Store& store_;
  std::function<void()> changed_;
  Store::Subscription subscription_;
  Table<NodePtr> nodes_;
  Table<Names> lists_;
  std::map<std::string, NodePtr> hints_;  // of nodes that are still being read
  std::size_t followed_ = 0;
  std::uint64_t run_ = 0;     // number of the reader's last run
  std::size_t asked_ = 0;     // by that run, different ones
  std::uint64_t issued_ = 0;  // reads, and how many of them were answered
  std::uint64_t answered_ = 0;
  std::uint64_t notify_after_ = 0;
  std::deque<std::variant<EntryPtr<NodePtr>, EntryPtr<Names>>> waiting_;  // to be read, in their turn
  bool dirty_ = false;                                                    // something differs from what the reader saw
  bool notify_due_ = false;  // and `changed` is to be posted after `notify_after_` answers
  bool posted_ = false;
  Timer retry_;
  Backoff backoff_{first_retry, last_retry};
};

Mirror::Mirror(Loop& loop, Store& store, std::function<void()> changed)
    : impl_(std::make_shared<Impl>(loop, store, std::move(changed))) {
  impl_->start();
}
Mirror::~Mirror() = default;

Status Mirror::read(const std::function<Status(View&)>& reader) {
  const auto keep = impl_;
  return keep->read(reader);
}

std::size_t Mirror::followed() const { return impl_->followed(); }

}  // namespace midonet::store
