#include "store/mirror.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
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

struct PartState;

// One node or one list of children that is, or was, followed.
template <class T>
struct Entry {
  explicit Entry(std::string_view p) : path(p) {}

  const std::string path;
  std::optional<Result<T>> value;  // as last read
  std::uint64_t asked = 0;         // in which run of a reader
  PartState* part = nullptr;       // that it is followed for
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

struct PartState {
  Mirror::Part name;
  // What it follows, and perhaps what another part follows now.
  std::vector<EntryPtr<NodePtr>> nodes{};
  std::vector<EntryPtr<Names>> lists{};
};

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
  using Part = Mirror::Part;

  Impl(Loop& loop, Store& store, std::function<void()> changed)
      : loop_(loop), store_(store), tell_(std::move(changed)) {}

  void start() {
    subscription_ = store_.on_state([weak = weak_from_this()](State state) {
      if (const auto self = weak.lock()) self->on_state(state);
    });
  }

  Status read(const Part& name, const std::function<Status(View&)>& reader) {
    const auto at = parts_.try_emplace(name, PartState{name}).first;
    PartState& part = at->second;
    ++run_;
    changed_.erase(name);
    if (changed_.empty()) notify_due_ = false;
    drop_hints(name);
    current_ = &part;
    Status outcome = reader(*this);
    current_ = nullptr;
    // A reader that waits for something may have stopped before it asked for everything.
    if (outcome || outcome.error().code != Code::pending) {
      drop_what_was_not_asked_for(part.nodes, part);
      drop_what_was_not_asked_for(part.lists, part);
      if (part.nodes.empty() && part.lists.empty()) parts_.erase(at);
    }
    return outcome;
  }

  void drop(const Part& name) {
    changed_.erase(name);
    const auto at = parts_.find(name);
    if (at == parts_.end()) return;
    ++run_;
    drop_what_was_not_asked_for(at->second.nodes, at->second);
    drop_what_was_not_asked_for(at->second.lists, at->second);
    parts_.erase(at);
  }

  const std::set<Part>& changed() const { return changed_; }

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
  static std::vector<EntryPtr<T>>& followed_by(PartState& part) {
    if constexpr (std::is_same_v<T, NodePtr>) {
      return part.nodes;
    } else {
      return part.lists;
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
    entry.asked = run_;
    if (entry.part != current_) {
      entry.part = current_;
      followed_by<T>(*current_).push_back(found->second);
    }
    if (!entry.followed) {
      entry.followed = true;
      ++followed_;
      if (!entry.reading) fetch(found->second);
    }
    if (entry.value) return *entry.value;
    if constexpr (std::is_same_v<T, NodePtr>) {
      if (const auto hint = hints_.find(path); hint != hints_.end()) return hint->second.node;
    }
    return fail(Code::pending, "{} is being read", path);
  }

  template <class T>
  void fetch(const EntryPtr<T>& entry) {
    entry->reading = true;
    entry->again = false;
    ++issued_;
    if (sent_ - answered_ >= reads_at_once) {
      waiting_.emplace_back(entry);
    } else {
      send(entry);
    }
  }

  template <class T>
  void send(const EntryPtr<T>& entry) {
    ++sent_;
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
        const Node& told = *hint->second.node;
        news =
            entry.value || !result || (*result)->stat.modified != told.stat.modified || (*result)->value != told.value;
        hints_.erase(hint);
      }
      // A hint that was there before the folder was followed may be about what is long over.
      if (entry.tells && entry.value && *entry.value && result) hear(entry, **result);
      if (entry.tells) news = false;
    }
    entry.value = std::move(result);
    if (news) note_change(*entry.part);
  }

  void hear(const Entry<NodePtr>& folder, const Node& node) {
    for (auto& [path, record] : decode_hint(node.value)) {
      const auto entry = nodes_.find(path);
      const bool asked = entry != nodes_.end() && entry->second->followed;
      if (asked && entry->second->value) continue;
      const Stat stat{node.stat.modified, node.stat.modified, 0, 0};
      hints_.insert_or_assign(path, Hinted{std::make_shared<const Node>(Node{record, stat}), folder.part->name});
      if (asked) note_change(*entry->second->part);
    }
  }

  // Of the folders of this part, whose reader runs: those that no reader has used since its last run.
  void drop_hints(const Part& part) {
    for (auto at = hints_.begin(); at != hints_.end();) {
      const auto hint = at++;
      if (hint->second.part != part || !std::exchange(hint->second.passed, true)) continue;
      const auto entry = nodes_.find(hint->first);
      if (entry == nodes_.end() || !entry->second->followed || entry->second->value) hints_.erase(hint);
    }
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
  void drop_what_was_not_asked_for(std::vector<EntryPtr<T>>& followed, const PartState& part) {
    std::vector<EntryPtr<T>> dropped;
    std::erase_if(followed, [&](const EntryPtr<T>& entry) {
      if (entry->part != &part) return true;
      if (entry->asked == run_) return false;
      dropped.push_back(entry);
      return true;
    });
    for (const EntryPtr<T>& entry : dropped) {
      if (entry->part != &part) continue;  // it stood there twice
      entry->followed = entry->failed = false;
      entry->value.reset();
      entry->part = nullptr;
      if constexpr (std::is_same_v<T, NodePtr>) hints_.erase(entry->path);
      --followed_;
      if (!entry->reading) drop(entry);
    }
  }

  void on_state(State state) {
    if (state == State::disconnected) return;
    retry_.cancel();
    backoff_.reset();
    if (state == State::new_session) {
      disarm_and_look_again(nodes_);
      disarm_and_look_again(lists_);
      // It may be another store: half of it is no basis for anything.
      all_after_ = issued_;
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

  // `changed` waits for the reads that are under way already (they are answered in order), so that the reader runs once
  // for a thousand of them. It does not wait for later reads, so that a store that never rests does not delay it. With parts,
  // each change costs its part alone: then `changed` does not wait for reads that were not sent yet either.
  void note_change(const PartState& part) {
    changed_.insert(part.name);
    if (notify_due_) return;
    notify_due_ = true;
    notify_after_ = part.name == Part{} ? issued_ : sent_;
  }

  void notify_if_due() {
    if (!notify_due_ || answered_ < std::max(notify_after_, all_after_)) return;
    notify_due_ = false;
    if (std::exchange(posted_, true)) return;
    loop_.post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->posted_ = false;
      // The readers may have run meanwhile, and seen it all.
      if (!self->changed_.empty()) self->tell_();
    });
  }

  Loop& loop_;
  Store& store_;
  std::function<void()> tell_;
  Store::Subscription subscription_;
  Table<NodePtr> nodes_;
  Table<Names> lists_;
  struct Hinted {
    NodePtr node;
    Part part{};          // that the folder is followed for
    bool passed = false;  // its reader has run since
  };
  std::map<std::string, Hinted> hints_;  // of nodes that are still being read
  std::size_t followed_ = 0;
  std::map<Part, PartState> parts_;
  PartState* current_ = nullptr;  // whose reader runs
  std::set<Part> changed_;
  std::uint64_t run_ = 0;     // number of the last run of a reader
  std::uint64_t issued_ = 0;  // reads; how many of them the store has or had; how many it answered
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t notify_after_ = 0;
  std::uint64_t all_after_ = 0;  // nothing is told before so many answers: a new session reads all again
  std::deque<std::variant<EntryPtr<NodePtr>, EntryPtr<Names>>> waiting_;  // to be read, in their turn
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

Status Mirror::read(const Part& part, const std::function<Status(View&)>& reader) {
  const auto keep = impl_;
  return keep->read(part, reader);
}

void Mirror::drop(const Part& part) { impl_->drop(part); }

const std::set<Mirror::Part>& Mirror::changed() const { return impl_->changed(); }

std::size_t Mirror::followed() const { return impl_->followed(); }

}  // namespace midonet::store
